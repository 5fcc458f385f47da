package main

// request is what the program is asked to do, a line of JSON each. See Request in
// benches/subject/src/message.rs, which also says what the figures are.
type request struct {
	Do       string `json:"do"`
	Sessions uint64 `json:"sessions"`
	Callers  uint64 `json:"callers"`
	Count    uint64 `json:"count"`
	Among    string `json:"among"`
	Cookies  uint64 `json:"cookies"`
	Next     uint64 `json:"next"`
}

// Each reply is a line of JSON too.
type (
	done struct {
		Figures figures `json:"done"`
	}
	serves struct {
		Address address `json:"serves"`
	}
	failed struct {
		Why string `json:"failed"`
	}
)

// cannot is the reply of a store that has no such thing.
const cannot = "cannot"

// figures are numbers by name. The names say their units.
type figures map[string]float64

// address is where HTTP is served, and Cookie fields to ask with.
type address struct {
	Port    int      `json:"port"`
	Cookies []string `json:"cookies"`
}
