package population

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// kept is what the file beside both programs tells of a session.
type kept struct {
	Number   uint64    `json:"number"`
	RandomID string    `json:"random_id"`
	User     string    `json:"user"`
	Created  string    `json:"created_micros"`
	Expires  string    `json:"expires_micros"`
	IP       string    `json:"ip"`
	OS       string    `json:"os"`
	Browser  string    `json:"browser"`
	Meta     [2]string `json:"meta"`
}

func TestNumbersMakeTheSessionsThatTheyMakeInRust(t *testing.T) {
	text, err := os.ReadFile("../../population.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []kept
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("it has no sessions")
	}
	population := Population{1_000, time.Unix(2_000_000_000, 0)}
	for _, expected := range all {
		entry := population.Entry(expected.Number)
		id := ID(entry.Number)
		made := kept{
			entry.Number, id[:32], entry.User, micros(entry.CreatedAt), micros(entry.ExpiresAt),
			entry.IP.String(), entry.OS, entry.Browser,
			[2]string{"permission", entry.Meta["permission"]},
		}
		if made != expected || len(entry.Meta) != 1 {
			t.Errorf("made %v, not %v", made, expected)
		}
		if len(id) != 40 {
			t.Errorf("%q has not 40 characters", id)
		}
	}
	user, theirs := population.Leaver(3)
	if last := all[len(all)-1]; user != last.User || theirs[7].Number != last.Number {
		t.Errorf("%v leaves, and the file tells of %v", theirs[7], last)
	}
}

func micros(time time.Time) string {
	return strconv.FormatInt(time.UnixMicro(), 10)
}

func TestUsersHaveTenSessionsAndAFifthIsExpired(t *testing.T) {
	population := Population{10_000, time.Unix(2_000_000_000, 0)}
	users, expired := map[string]int{}, 0
	for number := range population.Sessions {
		entry := population.Entry(number)
		users[entry.User]++
		if !entry.ExpiresAt.After(population.Begin) {
			expired++
		}
	}
	if len(users) != 1_000 {
		t.Errorf("%d users", len(users))
	}
	for user, sessions := range users {
		if len(user) != 13 || sessions != 10 {
			t.Errorf("user %q has %d", user, sessions)
		}
	}
	if expired < 1_900 || expired > 2_100 {
		t.Errorf("%d are expired", expired)
	}
}

func TestWhatIsPickedIsLiveAndWhatIsMissingWasNeverMade(t *testing.T) {
	population := Population{20_000, time.Unix(2_000_000_000, 0)}
	random := rand.New(rand.NewPCG(1, 1))
	live := func(number uint64) bool {
		return population.Entry(number).ExpiresAt.After(population.Begin)
	}
	for range 1_000 {
		any, inUse := population.Any(random), population.InUse(random)
		if !live(any) || any >= 20_000 {
			t.Errorf("%d is picked of all", any)
		}
		if !live(inUse) || inUse < 10_000 || inUse >= 20_000 {
			t.Errorf("%d is picked of those in use", inUse)
		}
		if missing := population.Missing(random); missing < leavers*2 {
			t.Errorf("%d is picked of those that are missing", missing)
		}
	}
	if expired, is := population.Expired(); !is || live(expired) {
		t.Errorf("%d is expired: %v", expired, is)
	}
}

func TestUsersThatArePickedAreThere(t *testing.T) {
	population := Population{100, time.Unix(2_000_000_000, 0)}
	users := map[string]bool{}
	for number := range population.Sessions {
		users[population.Entry(number).User] = true
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		if user := population.User(random); !users[user] {
			t.Errorf("nobody is %q", user)
		}
	}
	if user, _ := population.Leaver(3); users[user] {
		t.Error("who leaves is somebody else too")
	}
}

func ExampleID() {
	fmt.Println(ID(0))
	// Output: e220a8397b1dcdafe4d971771b652c20e220a839
}
