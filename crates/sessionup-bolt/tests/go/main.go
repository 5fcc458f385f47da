// The real sessionup-boltstore, asked by the tests beside it.
//
//	go run . use FILE BUCKET CREATE DELETE   uses a file as a server would, and checks it
//	go run . json                            reads records, a line of hexadecimal each, as Storm does
//	go run . deletes FILE PAGE_SIZE          makes a file of which most was deleted again
//	go run . hold FILE                       holds a file open for writing until its input ends
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	boltstore "github.com/davseby/sessionup-boltstore"
	"github.com/swithek/sessionup"
	bolt "go.etcd.io/bbolt"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 6 && os.Args[1] == "use":
		err = use(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	case len(os.Args) == 2 && os.Args[1] == "json":
		err = decode()
	case len(os.Args) == 4 && os.Args[1] == "deletes":
		err = deletes(os.Args[2], os.Args[3])
	case len(os.Args) == 3 && os.Args[1] == "hold":
		err = hold(os.Args[2])
	default:
		err = errors.New("use FILE BUCKET CREATE DELETE | json | deletes FILE PAGE_SIZE | hold FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// session is what is told of a session, whoever read it.
type session struct {
	ID      string            `json:"id_hex"`
	Created int64             `json:"created_millis"`
	Expires int64             `json:"expires_millis"`
	UserKey string            `json:"user_key"`
	IP      string            `json:"ip"`
	OS      string            `json:"os"`
	Browser string            `json:"browser"`
	Meta    map[string]string `json:"meta"`
}

func told(s sessionup.Session) session {
	ip := ""
	if len(s.IP) > 0 {
		ip = s.IP.String()
	}
	meta := s.Meta
	if meta == nil {
		meta = map[string]string{}
	}
	return session{
		hex.EncodeToString([]byte(s.ID)), millis(s.CreatedAt), millis(s.ExpiresAt),
		s.UserKey, ip, s.Agent.OS, s.Agent.Browser, meta,
	}
}

func millis(t time.Time) int64 {
	return t.Unix()*1000 + int64(t.Nanosecond()/1_000_000)
}

// use reads the sessions whose ids come as lines of hexadecimal, tells them, creates one, deletes
// one, and has Bolt check the file.
func use(path, bucket, create, drop string) error {
	db, err := bolt.Open(path, 0600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := boltstore.New(db, bucket, 0)
	if err != nil {
		return err
	}
	ctx, out := context.Background(), json.NewEncoder(os.Stdout)
	lines := lines()
	for number := 0; lines.Scan(); number++ {
		id, err := hex.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		s, found, err := store.FetchByID(ctx, string(id))
		if err != nil || !found {
			return fmt.Errorf("fetch: found %v, %w", found, err)
		}
		// Each of these reads the whole bucket.
		if number%50 == 0 {
			of, err := store.FetchByUserKey(ctx, s.UserKey)
			if err != nil || len(of) == 0 {
				return fmt.Errorf("fetch of user: %d, %w", len(of), err)
			}
		}
		// An id that JSON cannot hold comes back as another one, which is not taken.
		if s.ID == string(id) {
			if err := store.Create(ctx, s); !errors.Is(err, sessionup.ErrDuplicateID) {
				return fmt.Errorf("a second one of the same id: %v", err)
			}
		}
		if err := out.Encode(told(s)); err != nil {
			return err
		}
	}
	if err := check(db); err != nil {
		return err
	}
	s := sessionup.Session{
		ID: create, UserKey: "made by Go", IP: net.IPv4(192, 0, 2, 7),
		CreatedAt: time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.FixedZone("", 3600)),
		ExpiresAt: time.Date(2036, 11, 22, 12, 0, 0, 0, time.UTC),
		Meta:      map[string]string{"permission": "write"},
	}
	s.Agent.OS, s.Agent.Browser = "Linux", "Firefox"
	if err := store.Create(ctx, s); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := store.DeleteByID(ctx, drop); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if _, found, err := store.FetchByID(ctx, drop); err != nil || found {
		return fmt.Errorf("fetch of a deleted one: found %v, %v", found, err)
	}
	return check(db)
}

// check is what `bbolt check` does.
func check(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		var found []error
		for err := range tx.Check() {
			found = append(found, err)
		}
		return errors.Join(found...)
	})
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

// decode reads records and tells of each what Go makes of it, or null.
func decode() error {
	out, lines := json.NewEncoder(os.Stdout), lines()
	for lines.Scan() {
		value, err := hex.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		var r record
		var answer any
		if json.Unmarshal(value, &r) == nil {
			s := sessionup.Session{
				ID: r.ID, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt, UserKey: r.UserKey,
				IP: r.IP, Meta: r.Meta,
			}
			s.Agent.OS, s.Agent.Browser = r.Agent.OS, r.Agent.Browser
			answer = told(s)
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

// deletes creates 700 sessions in bucket b, deletes some in between, and afterwards all but 120.
func deletes(path, pageSize string) error {
	size, err := strconv.Atoi(pageSize)
	if err != nil {
		return err
	}
	db, err := bolt.Open(path, 0600, &bolt.Options{
		PageSize: size, NoSync: true, FreelistType: bolt.FreelistMapType,
	})
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := boltstore.New(db, "b", 0)
	if err != nil {
		return err
	}
	ctx, random, now := context.Background(), rand.New(rand.NewSource(int64(size))), time.Now()
	var ids []string
	drop := func() error {
		at := random.Intn(len(ids))
		id := ids[at]
		ids = append(ids[:at], ids[at+1:]...)
		return store.DeleteByID(ctx, id)
	}
	for number := 0; number < 700; number++ {
		s := sessionup.Session{
			ID: fmt.Sprintf("%040x", random.Uint64()), UserKey: fmt.Sprint("u", number%9),
			CreatedAt: now, ExpiresAt: now.Add(time.Hour), IP: net.IPv4(1, 2, 3, 4),
		}
		if number%50 == 0 {
			s.Meta = map[string]string{"x": strings.Repeat("y", random.Intn(9000))}
		}
		if err := store.Create(ctx, s); err != nil {
			return err
		}
		ids = append(ids, s.ID)
		if number%3 == 2 {
			if err := drop(); err != nil {
				return err
			}
		}
	}
	for len(ids) > 120 {
		if err := drop(); err != nil {
			return err
		}
	}
	return nil
}

func hold(path string) error {
	db, err := bolt.Open(path, 0600, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func lines() *bufio.Scanner {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	return lines
}
