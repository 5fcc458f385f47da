// Package population has the sessions that there are, by number: the same as those of
// benches/subject/src/population.rs.
package population

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Population has the sessions of a store: Sessions that were there before anything is measured, ten
// a user and a fifth of them expired, and those that are created later.
type Population struct {
	Sessions uint64
	// Begin is when those are expired that are to be.
	Begin time.Time
}

// Entry is what a store is to keep of a session.
type Entry struct {
	Number    uint64
	User      string
	CreatedAt time.Time
	ExpiresAt time.Time
	IP        net.IP
	OS        string
	Browser   string
	Meta      map[string]string
}

const (
	month = 30 * 24 * time.Hour
	// How many are in use at a time.
	inUse = 10_000
	// Where the numbers begin of those who come only to leave.
	leavers = 1_000_000_000_000
)

// Entry returns the session of a number.
func (p Population) Entry(number uint64) Entry {
	// A thousand came a second, and what is created from now on comes after them.
	age := time.Hour + time.Duration(p.Sessions)*time.Millisecond
	created := p.Begin.Add(-age).Add(time.Duration(number%leavers) * time.Millisecond)
	if p.isExpired(number) {
		created = created.Add(-month)
	}
	var octets [8]byte
	binary.BigEndian.PutUint64(octets[:], mixed(number))
	return Entry{
		Number:    number,
		User:      p.userOf(number),
		CreatedAt: created,
		ExpiresAt: created.Add(month),
		IP:        net.IPv4(10, octets[0], octets[1], octets[2]),
		OS:        "Linux",
		Browser:   "Firefox 145",
		Meta:      map[string]string{"permission": "write"},
	}
}

// User returns a user of those who were there before.
func (p Population) User(random *rand.Rand) string {
	return name(random.Uint64N(p.users()))
}

// Leaver returns a user who has ten sessions and is there only to leave, and those sessions.
func (p Population) Leaver(number uint64) (string, []Entry) {
	entries := make([]Entry, 10)
	for nth := range entries {
		entries[nth] = p.Entry(leavers + number*10 + uint64(nth))
	}
	return entries[0].User, entries
}

// InUse returns the number of a live session of those that are in use.
func (p Population) InUse(random *rand.Rand) uint64 {
	return p.live(random, p.Sessions-min(inUse, p.Sessions))
}

// Any returns the number of a live session of all.
func (p Population) Any(random *rand.Rand) uint64 {
	return p.live(random, 0)
}

// Missing returns a number that no session has.
func (p Population) Missing(random *rand.Rand) uint64 {
	return leavers*2 + random.Uint64N(leavers)
}

// Expired returns the number of the first session that is expired from the beginning, if there is
// one.
func (p Population) Expired() (uint64, bool) {
	for number := range p.Sessions {
		if p.isExpired(number) {
			return number, true
		}
	}
	return 0, false
}

func (p Population) live(random *rand.Rand, first uint64) uint64 {
	for {
		number := first + random.Uint64N(p.Sessions-first)
		if !p.isExpired(number) {
			return number
		}
	}
}

func (p Population) isExpired(number uint64) bool {
	return number < p.Sessions && mixed(number)%5 == 0
}

func (p Population) users() uint64 {
	return max(p.Sessions/10, 1)
}

func (p Population) userOf(number uint64) string {
	if number >= leavers {
		return name(number / 10)
	}
	return name(number % p.users())
}

// name makes names that do not sort as their owners came.
func name(user uint64) string {
	return fmt.Sprintf("%013d", mixed(user)%10_000_000_000_000)
}

// ID returns 40 characters that are the session's of this number alone, as many as the original's
// ids have, and tell nothing of when it was made.
func ID(number uint64) string {
	id := fmt.Sprintf("%016x%016x", mixed(number), mixed(^number))
	return id + id[:8]
}

// mixed returns well-distributed bits of a number (the finalizer of SplitMix64).
func mixed(number uint64) uint64 {
	number += 0x9e37_79b9_7f4a_7c15
	number = (number ^ number>>30) * 0xbf58_476d_1ce4_e5b9
	number = (number ^ number>>27) * 0x94d0_49bb_1331_11eb
	return number ^ number>>31
}
