package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"

	"github.com/swithek/sessionup"
	"sessionup.example/benches/population"
)

// serve answers at a free port whoever asks with one of so many sessions that are in use.
func (w *work) serve(cookies uint64) (any, error) {
	switch {
	case w.server != nil:
		return nil, errors.New("it serves already")
	case w.population.Sessions == 0:
		return nil, errors.New("there are no sessions")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	route := http.NewServeMux()
	route.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "Hello!")
	}))
	w.server = &http.Server{Handler: sessionup.NewManager(w.subject).Auth(route)}
	go w.server.Serve(listener)

	random := rand.New(rand.NewPCG(w.seed, 0))
	address := address{Port: listener.Addr().(*net.TCPAddr).Port, Cookies: []string{}}
	for range cookies {
		id := population.ID(w.population.InUse(random))
		address.Cookies = append(address.Cookies, "sessionup="+id)
	}
	return serves{address}, nil
}
