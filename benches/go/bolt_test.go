package main

import (
	"context"
	"testing"
	"time"

	"github.com/swithek/sessionup"
	bolt "go.etcd.io/bbolt"
	"sessionup.example/benches/population"
)

func TestFillPutsWhatTheStoreItselfPuts(t *testing.T) {
	population := population.Population{Sessions: 300, Begin: time.Now()}
	var sessions []sessionup.Session
	for number := range population.Sessions {
		sessions = append(sessions, session(population.Entry(number)))
	}
	filled, created := openFor(t), openFor(t)
	for _, portion := range [][]sessionup.Session{sessions[:200], sessions[200:]} {
		if err := filled.fill(portion); err != nil {
			t.Fatal(err)
		}
	}
	for _, session := range sessions {
		if err := created.Create(context.Background(), session); err != nil {
			t.Fatal(err)
		}
	}
	expected, found := pairs(t, created.db), pairs(t, filled.db)
	// Each session is a record and a line of the index; the rest is Storm's.
	if len(expected) <= 600 {
		t.Fatalf("the store put %d", len(expected))
	}
	for path, value := range expected {
		if other, is := found[path]; !is || other != value {
			t.Errorf("%q is %q, not %q", path, other, value)
		}
	}
	if len(found) != len(expected) {
		t.Errorf("%d are put, not %d", len(found), len(expected))
	}
}

func openFor(t *testing.T) boltSubject {
	opened, err := openBolt(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.close() })
	return opened.(boltSubject)
}

// pairs returns all that is in a file, by bucket and key.
func pairs(t *testing.T, db *bolt.DB) map[string]string {
	pairs := map[string]string{}
	var walk func(path string, bucket *bolt.Bucket) error
	walk = func(path string, bucket *bolt.Bucket) error {
		return bucket.ForEach(func(key, value []byte) error {
			path := path + "/" + string(key)
			if inner := bucket.Bucket(key); inner != nil {
				pairs[path] = "a bucket"
				return walk(path, inner)
			}
			pairs[path] = string(value)
			return nil
		})
	}
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			return walk(string(name), bucket)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}
