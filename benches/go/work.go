package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/swithek/sessionup"
	"sessionup.example/benches/population"
)

// work is a subject, the sessions that it has, and those that were created since.
type work struct {
	open       func(directory string) (subject, error)
	directory  string
	subject    subject
	server     *http.Server
	population population.Population
	// next is the number of the next session.
	next uint64
	// ended is, of those that were created, the first that is not ended yet.
	ended uint64
	// leaver is the next user who comes to leave.
	leaver uint64
	seed   uint64
}

// portion is how many sessions are handed to a store at a time when it is filled.
const portion = 10_000

// reply does what is asked, and tells of it.
func (w *work) reply(asked request) any {
	reply, err := w.answer(asked)
	if err != nil {
		return failed{err.Error()}
	}
	return reply
}

func (w *work) answer(asked request) (any, error) {
	w.seed++
	if w.subject == nil && asked.Do != "open" && asked.Do != "assume" {
		return nil, errors.New("it is not open")
	}
	switch asked.Do {
	case "open":
		return w.opens()
	case "close":
		return w.closes()
	case "fill":
		return w.fill(asked.Sessions)
	case "assume":
		w.population = population.Population{Sessions: asked.Sessions, Begin: time.Now()}
		w.next, w.ended = asked.Next, asked.Next
		return done{figures{}}, nil
	case "create":
		return w.create(asked.Callers, asked.Count)
	case "fetch":
		return w.fetch(asked.Callers, asked.Count, asked.Among)
	case "list":
		return w.list(asked.Callers, asked.Count)
	case "delete":
		return w.delete(asked.Callers, asked.Count)
	case "delete-user":
		return w.deleteUser(asked.Callers, asked.Count)
	case "prune":
		return w.prune()
	case "crowd":
		// One bucket, one lock: nothing of it would be measured that "prune" does not tell.
		return cannot, nil
	case "size":
		return w.size()
	case "serve":
		return w.serve(asked.Cookies)
	}
	return nil, fmt.Errorf("it cannot do %q", asked.Do)
}

func (w *work) opens() (any, error) {
	if w.subject != nil {
		return nil, errors.New("it is open already")
	}
	begun := time.Now()
	subject, err := w.open(w.directory)
	if err != nil {
		return nil, err
	}
	w.subject = subject
	return took(time.Since(begun)), nil
}

func (w *work) closes() (any, error) {
	if w.server != nil {
		if err := w.server.Close(); err != nil {
			return nil, err
		}
		w.server = nil
	}
	subject := w.subject
	w.subject = nil
	begun := time.Now()
	if err := subject.close(); err != nil {
		return nil, err
	}
	return took(time.Since(begun)), nil
}

func (w *work) fill(count uint64) (any, error) {
	w.population = population.Population{Sessions: count, Begin: time.Now()}
	begun := time.Now()
	for first := uint64(0); first < count; first += portion {
		sessions := make([]sessionup.Session, min(portion, count-first))
		for nth := range sessions {
			sessions[nth] = session(w.population.Entry(first + uint64(nth)))
		}
		if err := w.subject.fill(sessions); err != nil {
			return nil, err
		}
	}
	w.next, w.ended = count, count
	return took(time.Since(begun)), nil
}

func (w *work) create(callers, count uint64) (any, error) {
	first := w.next
	w.next += count
	return w.writes(callers, count, func(nth uint64) error {
		return w.createOne(first + nth)
	})
}

func (w *work) createOne(number uint64) error {
	return w.subject.Create(context.Background(), session(w.population.Entry(number)))
}

func (w *work) delete(callers, count uint64) (any, error) {
	first := w.ended
	if first+count > w.next {
		return nil, errors.New("fewer sessions were created than are to be ended")
	}
	w.ended += count
	return w.writes(callers, count, func(nth uint64) error {
		return w.subject.DeleteByID(context.Background(), population.ID(first+nth))
	})
}

func (w *work) deleteUser(callers, count uint64) (any, error) {
	users := make([]string, count)
	var sessions []sessionup.Session
	for nth := range users {
		user, theirs := w.population.Leaver(w.leaver)
		w.leaver++
		users[nth] = user
		for _, entry := range theirs {
			sessions = append(sessions, session(entry))
		}
	}
	if err := w.subject.fill(sessions); err != nil {
		return nil, err
	}
	return w.writes(callers, count, func(nth uint64) error {
		return w.subject.DeleteByUserKey(context.Background(), users[nth])
	})
}

func (w *work) fetch(callers, count uint64, among string) (any, error) {
	pick, is := map[string]func(*rand.Rand) uint64{
		"in-use":  w.population.InUse,
		"all":     w.population.Any,
		"missing": w.population.Missing,
	}[among]
	if !is {
		return nil, fmt.Errorf("there are none %q", among)
	}
	pickID := func(random *rand.Rand) string { return population.ID(pick(random)) }
	return w.reads(callers, count, pickID, func(id string) error {
		_, found, err := w.subject.FetchByID(context.Background(), id)
		if err == nil && found == (among == "missing") {
			err = fmt.Errorf("a session is found: %v", found)
		}
		return err
	})
}

func (w *work) list(callers, count uint64) (any, error) {
	return w.reads(callers, count, w.population.User, func(user string) error {
		sessions, err := w.subject.FetchByUserKey(context.Background(), user)
		// All ten of a user are expired at one in ten million.
		if err == nil && len(sessions) == 0 {
			err = errors.New("no sessions are listed")
		}
		return err
	})
}

// writes does acts, each of which is timed for itself.
func (w *work) writes(callers, count uint64, act func(nth uint64) error) (any, error) {
	waits := make([]time.Duration, count)
	before, told := written()
	begun := time.Now()
	err := byCallers(callers, count, func(nth uint64) error {
		begun := time.Now()
		err := act(nth)
		waits[nth] = time.Since(begun)
		return err
	})
	if err != nil {
		return nil, err
	}
	figures := rate(time.Since(begun), count)
	figures.putWaits(waits)
	if after, _ := written(); told {
		figures["written"] = float64(after-before) / float64(count)
	}
	return done{figures}, nil
}

// reads does acts, timed all together: one may be shorter than a look at the clock.
func (w *work) reads(
	callers, count uint64, pick func(*rand.Rand) string, act func(picked string) error,
) (any, error) {
	if w.population.Sessions == 0 {
		return nil, errors.New("there are no sessions")
	}
	random := rand.New(rand.NewPCG(w.seed, 0))
	// To pick is no part of what is measured.
	picks := make([]string, count)
	for nth := range picks {
		picks[nth] = pick(random)
	}
	begun := time.Now()
	err := byCallers(callers, count, func(nth uint64) error { return act(picks[nth]) })
	if err != nil {
		return nil, err
	}
	return done{rate(time.Since(begun), count)}, nil
}

// prune has expired sessions deleted, and one caller create sessions before and meanwhile.
func (w *work) prune() (any, error) {
	pruner, can := w.subject.(pruner)
	if !can {
		return cannot, nil
	}
	expired, is := w.population.Expired()
	if !is {
		return nil, errors.New("no session is expired")
	}
	number := w.next
	w.next += 1 << 24
	create := func() (time.Duration, error) {
		begun := time.Now()
		err := w.createOne(number)
		number++
		return time.Since(begun), err
	}
	usual := make([]time.Duration, 500)
	for nth := range usual {
		var err error
		if usual[nth], err = create(); err != nil {
			return nil, err
		}
	}
	begun := time.Now()
	stop, err := pruner.startPruning()
	if err != nil {
		return nil, err
	}
	var waits []time.Duration
	// All that are expired are deleted in one transaction, so one tells of all.
	for there := true; there && err == nil; {
		var wait time.Duration
		if wait, err = create(); err == nil {
			waits = append(waits, wait)
			_, there, err = w.subject.FetchByID(context.Background(), population.ID(expired))
		}
	}
	all := took(time.Since(begun))
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	all.Figures.putWaits(waits)
	slices.Sort(usual)
	all.Figures["usual"] = micros(usual[len(usual)/2])
	return all, nil
}

func (w *work) size() (any, error) {
	bytes, err := sizeOfFiles(w.directory)
	if err != nil {
		return nil, err
	}
	figures := figures{"file": float64(bytes)}
	if bytes, told := resident(); told {
		figures["resident"] = float64(bytes)
	}
	return done{figures}, nil
}
