package main

import (
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"time"

	boltstore "github.com/davseby/sessionup-boltstore"
	"github.com/swithek/sessionup"
	bolt "go.etcd.io/bbolt"
)

// boltSubject is sessionup-boltstore as its README opens it, but that nothing is cleaned up unasked.
type boltSubject struct {
	*boltstore.BoltStore
	db *bolt.DB
}

const bucket = "sessions"

func openBolt(directory string) (subject, error) {
	db, err := bolt.Open(filepath.Join(directory, "sessions.db"), 0600, nil)
	if err != nil {
		return nil, err
	}
	store, err := boltstore.New(db, bucket, 0)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return boltSubject{store, db}, nil
}

func (b boltSubject) close() error {
	return errors.Join(b.Close(), b.db.Close())
}

// record is the type of the same name in sessionup-boltstore, which does not export it.
type record struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UserKey   string    `json:"user_key"`
	IP        net.IP    `json:"ip"`
	Agent     struct {
		OS      string `json:"os"`
		Browser string `json:"browser"`
	} `json:"agent"`
	Meta map[string]string `json:"meta,omitempty"`
}

// fill puts what the store itself would put, in one transaction. The store goes through its whole
// index for each session that it creates.
func (b boltSubject) fill(sessions []sessionup.Session) error {
	return b.db.Update(func(tx *bolt.Tx) error {
		records, index, err := buckets(tx)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			value, err := json.Marshal(record{
				ID: s.ID, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, UserKey: s.UserKey,
				IP: s.IP, Agent: s.Agent, Meta: s.Meta,
			})
			if err != nil {
				return err
			}
			key := []byte(s.ID)
			if err := errors.Join(records.Put(key, value), index.Put(key, key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// buckets makes the buckets of the store, as Storm does it with the first session, if they are not
// there.
func buckets(tx *bolt.Tx) (records, index *bolt.Bucket, err error) {
	root, err := tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return nil, nil, err
	}
	records, err = root.CreateBucketIfNotExists([]byte("record"))
	if err != nil {
		return nil, nil, err
	}
	metadata, err := records.CreateBucketIfNotExists([]byte("__storm_metadata"))
	if err != nil {
		return nil, nil, err
	}
	if err := metadata.Put([]byte("codec"), []byte("json")); err != nil {
		return nil, nil, err
	}
	index, err = records.CreateBucketIfNotExists([]byte("__storm_index_ID"))
	return records, index, err
}

// startPruning has another store of the same bucket clean up without a pause. There is no other way
// to ask for it.
func (b boltSubject) startPruning() (func() error, error) {
	store, err := boltstore.New(b.db, bucket, time.Millisecond)
	if err != nil {
		return nil, err
	}
	failures := make(chan error)
	go func() {
		var all []error
		for err := range store.CleanupErr() {
			all = append(all, err)
		}
		failures <- errors.Join(all...)
	}()
	return func() error {
		return errors.Join(store.Close(), <-failures)
	}, nil
}
