package main

// The commands gen: making rules, packets and connections, and the files that
// they are written to.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hipac-go/classifier/rules/files"
)

type genCmd struct {
	Rules       genRulesCmd       `cmd:"" help:"Make a rule set of a family, of any size."`
	Packets     genPacketsCmd     `cmd:"" help:"Make packets for a rule set."`
	Connections genConnectionsCmd `cmd:"" help:"Make the packets of connections, as pcap or into a TUN device."`
}

// writeOut has write fill a file, - for standard output. The file appears under
// its name when it is whole: until then it is one beside it, which is removed
// when write fails. What is no regular file, such as a pipe or /dev/null, is
// written to directly. An error of write is returned as it is, one of the file
// with its name. An interrupt makes writing fail.
func (a *app) writeOut(path string, write func(io.Writer) error) error {
	return a.writeUntil(interruptible, path, write)
}

// writeUntil is writeOut, but that writing fails when a context has ended, which
// begins with the file.
func (a *app) writeUntil(begin func() (context.Context, func()), path string, write func(io.Writer) error) error {
	if path == "-" {
		out := bufio.NewWriterSize(a.stdout, 1<<16)
		if err := write(out); err != nil {
			return err
		}
		return out.Flush()
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s: is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return files.Error(path, err)
		}
		return fill(f, path, write)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return files.Error(path, err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays
	}
	ctx, stop := begin()
	defer stop()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return files.Error(path, err)
	}
	leftovers.add(f.Name())
	defer leftovers.drop(f.Name()) // it has another name when all is well
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
	}
	err = fill(f, path, func(w io.Writer) error { return write(until{ctx, w}) })
	if err == nil {
		err = os.Chmod(f.Name(), mode)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		err = files.Error(path, le.Err)
	}
	return err
}

// until is a writer that fails when its context has ended.
type until struct {
	ctx context.Context
	w   io.Writer
}

func (u until) Write(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, errInterrupted
	}
	return u.w.Write(b)
}

// distinct refuses to write a file that is read.
func distinct(out string, in ...string) error {
	o, err := os.Stat(out)
	if err != nil || out == "-" {
		return nil
	}
	for _, path := range in {
		if i, err := os.Stat(path); err == nil && os.SameFile(i, o) && i.Mode().IsRegular() {
			return files.BadUsage("--out %s: is the file that is read from", out)
		}
	}
	return nil
}

// fill writes and closes f. Errors of the system about f get the name path.
func fill(f *os.File, path string, write func(io.Writer) error) error {
	out := bufio.NewWriterSize(f, 1<<16)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if errors.As(err, new(*fs.PathError)) {
		err = files.Error(path, err)
	}
	return err
}
