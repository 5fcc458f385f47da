package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// asks are requests in their order, and the names of the figures that answer them.
var asks = []struct{ line, figures string }{
	{`{"do":"open"}`, "ms"},
	{`{"do":"fill","sessions":1000}`, "ms"},
	{`{"do":"create","callers":7,"count":50}`, "max ns p50 p99 written"},
	{`{"do":"fetch","callers":3,"count":100,"among":"in-use"}`, "ns"},
	{`{"do":"fetch","callers":1,"count":100,"among":"all"}`, "ns"},
	{`{"do":"fetch","callers":1,"count":100,"among":"missing"}`, "ns"},
	{`{"do":"list","callers":3,"count":10}`, "ns"},
	{`{"do":"delete","callers":7,"count":50}`, "max ns p50 p99 written"},
	{`{"do":"delete-user","callers":1,"count":2}`, "max ns p50 p99 written"},
	{`{"do":"size"}`, "file resident"},
	{`{"do":"close"}`, "ms"},
}

func TestRequestsAreAnsweredByFiguresOfTheseNames(t *testing.T) {
	for name, open := range subjects {
		work := work{open: open, directory: t.TempDir()}
		for _, asked := range asks {
			var reply struct{ Done map[string]float64 }
			answer := ask(t, &work, asked.line)
			if err := json.Unmarshal([]byte(answer), &reply); err != nil {
				t.Fatal(err)
			}
			names := strings.Join(slices.Sorted(maps.Keys(reply.Done)), " ")
			// Not every system tells of memory and of what is written.
			if names != asked.figures && !strings.HasPrefix(asked.figures, names+" ") || names == "" {
				t.Errorf("%s: %s is answered by %s", name, asked.line, answer)
			}
		}
	}
}

func TestWhatIsDeletedIsGoneAndTheRestIsThere(t *testing.T) {
	for name, open := range subjects {
		work := filled(t, open)
		ask(t, &work, `{"do":"create","callers":2,"count":9}`)
		ask(t, &work, `{"do":"delete","callers":2,"count":8}`)
		ask(t, &work, `{"do":"delete-user","callers":1,"count":1}`)
		leaver, theirs := work.population.Leaver(0)
		for number, is := range map[uint64]bool{
			1_000: false, 1_007: false, 1_008: true, theirs[0].Number: false, theirs[9].Number: false,
		} {
			expect(t, name, &work, number, is)
		}
		sessions, err := work.subject.FetchByUserKey(t.Context(), leaver)
		if err != nil || len(sessions) > 0 {
			t.Errorf("%s: %d sessions of who has left, %v", name, len(sessions), err)
		}
	}
}

func TestPruningDeletesWhatIsExpiredAndNoMore(t *testing.T) {
	work := filled(t, openBolt)
	answer := ask(t, &work, `{"do":"prune"}`)
	for _, figure := range []string{"ms", "p50", "p99", "max", "usual"} {
		if !strings.Contains(answer, fmt.Sprintf("%q:", figure)) {
			t.Errorf("it is answered by %s", answer)
		}
	}
	for number := range work.population.Sessions {
		expires := work.population.Entry(number).ExpiresAt
		expect(t, "go-bolt", &work, number, expires.After(work.population.Begin))
	}

	work = filled(t, openMemory)
	if answer := ask(t, &work, `{"do":"prune"}`); answer != `"cannot"` {
		t.Errorf("go-memory answers %s", answer)
	}
}

func TestItServesWhoeverHasACookieOfItsSessions(t *testing.T) {
	for name, open := range subjects {
		work := filled(t, open)
		var reply struct{ Serves address }
		if err := json.Unmarshal([]byte(ask(t, &work, `{"do":"serve","cookies":3}`)), &reply); err != nil {
			t.Fatal(err)
		}
		if len(reply.Serves.Cookies) != 3 {
			t.Errorf("%s: %d cookies", name, len(reply.Serves.Cookies))
		}
		for _, cookie := range reply.Serves.Cookies {
			if status, body := get(t, reply.Serves.Port, cookie); status != 200 || body != "Hello!" {
				t.Errorf("%s: with a cookie it says %d %q", name, status, body)
			}
		}
		for _, cookie := range []string{"", "sessionup=" + strings.Repeat("0", 40)} {
			if status, _ := get(t, reply.Serves.Port, cookie); status != 401 {
				t.Errorf("%s: with cookie %q it says %d", name, cookie, status)
			}
		}
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	work := work{open: openMemory, directory: t.TempDir()}
	for _, line := range []string{
		`{"do":"size"}`,
		`{"do":"no such thing"}`,
	} {
		if answer := ask(t, &work, line); !strings.HasPrefix(answer, `{"failed":"`) {
			t.Errorf("%s is answered by %s", line, answer)
		}
	}
	ask(t, &work, `{"do":"open"}`)
	for _, line := range []string{
		`{"do":"open"}`,
		`{"do":"no such thing"}`,
		`{"do":"delete","callers":1,"count":1}`,
		`{"do":"create","callers":0,"count":1}`,
		`{"do":"fetch","callers":1,"count":1,"among":"in-use"}`,
		`{"do":"serve","cookies":1}`,
	} {
		if answer := ask(t, &work, line); !strings.HasPrefix(answer, `{"failed":"`) {
			t.Errorf("%s is answered by %s", line, answer)
		}
	}
}

// filled returns an open subject with a thousand sessions.
func filled(t *testing.T, open func(string) (subject, error)) work {
	work := work{open: open, directory: t.TempDir()}
	ask(t, &work, `{"do":"open"}`)
	ask(t, &work, `{"do":"fill","sessions":1000}`)
	t.Cleanup(func() { ask(t, &work, `{"do":"close"}`) })
	return work
}

func ask(t *testing.T, work *work, line string) string {
	var asked request
	if err := json.Unmarshal([]byte(line), &asked); err != nil {
		t.Fatal(err)
	}
	reply, err := json.Marshal(work.reply(asked))
	if err != nil {
		t.Fatal(err)
	}
	return string(reply)
}

func expect(t *testing.T, name string, work *work, number uint64, is bool) {
	t.Helper()
	entry := session(work.population.Entry(number))
	found, there, err := work.subject.FetchByID(t.Context(), entry.ID)
	if err != nil || there != is {
		t.Errorf("%s: session %d is there: %v, %v", name, number, there, err)
	}
	if there && (found.UserKey != entry.UserKey || found.Meta["permission"] != "write") {
		t.Errorf("%s: session %d is %v", name, number, found)
	}
}

func get(t *testing.T, port int, cookie string) (int, string) {
	request, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		request.Header.Set("Cookie", cookie)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
