package files

// Opening files by the names on a command line, and errors about them.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UsageError is an error in what was asked for rather than in the data.
type UsageError struct{ Reason string }

// Error returns the reason.
func (e UsageError) Error() string { return e.Reason }

// BadUsage returns a UsageError.
func BadUsage(format string, args ...any) error { return UsageError{fmt.Sprintf(format, args...)} }

// Open opens a file, or returns stdin for "-". The name is the one for errors;
// done closes the file.
func Open(path string, stdin io.Reader) (r io.Reader, name string, done func(), err error) {
	if path == "-" {
		return stdin, "standard input", func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", nil, Error(path, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, "", nil, fmt.Errorf("%s: is a directory", path)
	}
	return f, path, func() { f.Close() }, nil
}

// Error is an error about a file, with its name and without that of the system
// call.
func Error(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// readError is an error of reading a file, with its name.
func readError(name string, err error) error {
	if strings.HasPrefix(err.Error(), name+":") {
		return err
	}
	return Error(name, err)
}

// Printable returns s, which may come from a file, with what a terminal could
// take for a command written as an escape.
func Printable(s string) string {
	safe := func(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }
	if strings.IndexFunc(s, func(r rune) bool { return !safe(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if safe(r) {
			b.WriteRune(r)
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		q := strconv.Quote(s[i : i+size])
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
