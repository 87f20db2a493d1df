package main

// The command compile: a rule file compiled into a file, which --rules takes.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/saved"
)

type compileCmd struct {
	files.RuleFlags `group:"Rules"`
	Out             string `short:"o" placeholder:"FILE" help:"File to write; - for standard output."`
}

// Help is shown in front of the flags.
func (compileCmd) Help() string {
	return `Compiles rules and writes what comes of it to a file, which --rules of all
commands takes in place of the rules, and which library users open in milliseconds
(hipac.Open). The same rules give the same file, on every machine.

The file has the rules in full. Of iptables rules it has the text as it was read,
and that of the files beside it: --sets, --routes, --users, --groups and
--connlabels are for compile alone. This text is read again when the file is used,
since what matches and targets do is said nowhere else; compiling is saved, which
is a quarter of the time or less.

A file is written beside the one that it replaces and renamed over it, so that
programs that have the old one open keep it. Its content is checked when it is
used: one that is damaged, not all there, or of another version of the format is
refused. After an update of hipac that changes the format, compile again.

Examples:

    hipac compile --rules office.rules -o office.hipac
    iptables-save | hipac compile --rules - --sets sets.save -o firewall.hipac
    hipac classify --rules firewall.hipac --packets traffic.pcap`
}

// Run compiles and writes.
func (cmd *compileCmd) Run(a *app) error {
	switch {
	case cmd.Rules == "":
		return files.BadUsage("--rules FILE is missing")
	case cmd.Out == "":
		return files.BadUsage("--out FILE is missing")
	case cmd.Out == "-" && a.isTerminal(a.stdout):
		return files.BadUsage("--out -: a compiled file is nothing for a terminal")
	}
	start := a.now()
	sources := &files.Sources{}
	cmd.Sources = sources
	file, err := a.readRules(&cmd.RuleFlags)
	if err != nil {
		return err
	}
	a.tell(file)
	if file.Compiled != nil {
		return files.BadUsage("%s is compiled", file.Name)
	}
	data, what, err := compileFile(a.ctx, file, sources)
	if err != nil {
		if a.ctx.Err() != nil {
			return errInterrupted
		}
		return files.Error(file.Name, err)
	}
	report := a.stdout
	if cmd.Out == "-" {
		report = a.stderr
		_, err = a.stdout.Write(data)
	} else {
		err = replaceFile(cmd.Out, data)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(report, "%s: %s, %s, in %s\n", files.Printable(cmd.Out), what, sizeText(len(data)), roundTime(a.now().Sub(start)))
	return err
}

// compileFile returns the compiled file of rules, and what it holds.
func compileFile(ctx context.Context, file *files.Rules, sources *files.Sources) (data []byte, what string, err error) {
	var out bytes.Buffer
	switch {
	case file.Native != nil:
		what = plural(file.Native.Len(), "rule")
		err = compileList(ctx, &out, file.Native, saved.String[string]{})
	case file.ClassBench != nil:
		what = plural(file.ClassBench.Len(), "rule")
		err = compileList(ctx, &out, file.ClassBench, classbench.Codec{})
	default:
		n := 0
		for _, t := range file.Tables.Tables {
			for i := range t.Chains {
				n += t.Chains[i].Rules.Len()
			}
		}
		what = fmt.Sprintf("%s in %s", plural(n, "rule"), plural(len(file.Tables.Tables), "table"))
		var tables *hipac.Tables
		if tables, err = hipac.BuildTables(ctx, file.Tables.Tables, nil); err != nil {
			break
		}
		w := saved.NewWriter(saved.KindTables)
		sources.AddSources(w)
		if err = tables.AddTo(w); err == nil {
			_, err = w.WriteTo(&out)
		}
	}
	return out.Bytes(), what, err
}

func compileList[T any](ctx context.Context, w io.Writer, l *rules.List[T], codec saved.Codec[T]) error {
	c, err := hipac.Build(ctx, l, nil)
	if err != nil {
		return err
	}
	return c.Save(w, codec)
}

// replaceFile writes a file beside the one of the path, and renames it over that.
// What is no regular file is written to.
func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s: is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(data)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return files.Error(path, err)
		}
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return files.Error(path, err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the link stays
	}
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return files.Error(path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync() // before it takes the other's place
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Chmod(f.Name(), mode)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return files.Error(path, err)
	}
	return nil
}

// sizeText writes a number of bytes.
func sizeText(n int) string {
	switch {
	case n < 1000:
		return plural(n, "byte")
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
