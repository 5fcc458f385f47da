package main

import (
	"context"

	"github.com/swithek/sessionup"
	"github.com/swithek/sessionup/memstore"
	"sessionup.example/benches/population"
)

// subject is a store of the original, and what is needed of it beyond being one.
type subject interface {
	sessionup.Store

	// fill makes many sessions as fast as it can. What it does here is not measured.
	fill(sessions []sessionup.Session) error

	close() error
}

// pruner is a subject that can be asked to delete expired sessions.
type pruner interface {
	// startPruning returns once that has begun. It goes on, all sessions that are expired at a time,
	// until stop is called, which tells what failed.
	startPruning() (stop func() error, err error)
}

// subjects has what opens the store of each name whose files are in a directory.
var subjects = map[string]func(directory string) (subject, error){
	"go-bolt":   openBolt,
	"go-memory": openMemory,
}

// session is what the original keeps of an entry.
func session(entry population.Entry) sessionup.Session {
	session := sessionup.Session{
		CreatedAt: entry.CreatedAt,
		ExpiresAt: entry.ExpiresAt,
		ID:        population.ID(entry.Number),
		UserKey:   entry.User,
		IP:        entry.IP,
		Meta:      entry.Meta,
	}
	session.Agent.OS, session.Agent.Browser = entry.OS, entry.Browser
	return session
}

type memory struct{ *memstore.MemStore }

func openMemory(string) (subject, error) {
	return memory{memstore.New(0)}, nil
}

func (m memory) fill(sessions []sessionup.Session) error {
	for _, session := range sessions {
		if err := m.Create(context.Background(), session); err != nil {
			return err
		}
	}
	return nil
}

func (m memory) close() error { return nil }
