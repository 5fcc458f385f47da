// The Go original, asked the same as what is compared with it: sessionup over sessionup-boltstore,
// and over its own store in memory.
//
//	go-subject go-bolt --directory DIRECTORY
//	go-subject go-memory --directory DIRECTORY
//
// It answers each line of the standard input by a line, until that ends.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("name a subject: go-bolt or go-memory")
	}
	open, is := subjects[arguments[0]]
	if !is {
		return fmt.Errorf("there is no subject %q", arguments[0])
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	directory := flags.String("directory", "", "where its files are")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if *directory == "" || flags.NArg() > 0 {
		return fmt.Errorf("say --directory DIRECTORY and no more")
	}
	work := work{open: open, directory: *directory}
	lines, replies := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		if err := replies.Encode(work.reply(asked)); err != nil {
			return err
		}
	}
	return lines.Err()
}
