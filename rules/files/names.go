package files

// Names of users and groups, as /etc/passwd and /etc/group have them.

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/hipac-go/classifier/rules"
)

// maxNames bounds a file of names, in bytes.
const maxNames = 64 << 20

// readSmall reads a file of names.
func readSmall(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxNames+1))
	if len(data) > maxNames {
		err = fmt.Errorf("longer than %d bytes", maxNames)
	}
	return data, err
}

// readNames reads lines NAME:NUMBER, or NAME:PASSWORD:NUMBER with or without
// more columns, and returns what the names stand for; of a name that comes
// twice the first line counts. Blank lines and those that begin with '#' are
// skipped. root, 0, is known without a line.
func readNames(r io.Reader, file string) (func(name string) (uint32, bool), error) {
	data, err := readSmall(r)
	if err != nil {
		return nil, err
	}
	ids := map[string]uint32{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		columns := bytes.Split(line, []byte(":"))
		id, err := uint64(0), strconv.ErrSyntax
		if len(columns) > 1 && len(columns[0]) > 0 {
			id, err = strconv.ParseUint(string(columns[min(2, len(columns)-1)]), 10, 32)
		}
		if err != nil {
			return nil, &rules.ParseError{File: file, Line: number, Column: 1, Token: string(line[:min(len(line), 60)]),
				Reason: "not a line NAME:NUMBER or NAME:PASSWORD:NUMBER, as those of /etc/passwd and /etc/group, with a number in 0..4294967295"}
		}
		if _, ok := ids[string(columns[0])]; !ok {
			ids[string(columns[0])] = uint32(id)
		}
	}
	return func(name string) (uint32, bool) {
		id, ok := ids[name]
		return id, ok || name == "root"
	}, nil
}
