package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// byCallers has so many callers at once do their share of so many acts. It returns when the last one
// is through.
func byCallers(callers, count uint64, act func(nth uint64) error) error {
	if callers == 0 || count == 0 {
		return errors.New("callers and count are to be 1 or more")
	}
	share := (count + callers - 1) / callers
	failures := make([]error, callers)
	var all sync.WaitGroup
	for caller := range callers {
		all.Add(1)
		go func() {
			defer all.Done()
			for nth := caller * share; nth < min(count, (caller+1)*share); nth++ {
				if err := act(nth); err != nil {
					failures[caller] = err
					return
				}
			}
		}()
	}
	all.Wait()
	return errors.Join(failures...)
}

func took(time time.Duration) done {
	return done{figures{"ms": float64(time.Nanoseconds()) / 1e6}}
}

func rate(time time.Duration, count uint64) figures {
	return figures{"ns": float64(time.Nanoseconds()) / float64(count)}
}

func (f figures) putWaits(waits []time.Duration) {
	if len(waits) == 0 {
		return
	}
	slices.Sort(waits)
	for name, perCent := range map[string]int{"p50": 50, "p99": 99, "max": 100} {
		f[name] = micros(waits[min(len(waits)*perCent/100, len(waits)-1)])
	}
}

func micros(time time.Duration) float64 {
	return float64(time.Nanoseconds()) / 1e3
}

// written returns bytes that were given to the operating system to write, where that is told.
func written() (uint64, bool) {
	return counter("/proc/self/io", "wchar:")
}

// resident returns bytes of memory that this process has, where that is told.
func resident() (uint64, bool) {
	kib, told := counter("/proc/self/status", "VmRSS:")
	return kib * 1024, told
}

func counter(file, name string) (uint64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == name {
			number, err := strconv.ParseUint(words[1], 10, 64)
			return number, err == nil
		}
	}
	return 0, false
}

func sizeOfFiles(directory string) (bytes int64, err error) {
	err = filepath.WalkDir(directory, func(_ string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		info, err := file.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}
