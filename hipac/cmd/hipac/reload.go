package main

// Reloading: a rule file is read again and takes the place of what it was, by the
// smallest set of edits. Engines other than the tree are built anew.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/classbench"
	"github.com/hipac-go/classifier/rules/files"
)

// loader keeps a program up to date with a rule file.
type loader struct {
	app      *app
	cmd      *classifyCmd
	versions *versions
	reloads  int

	file       *files.Rules // in force
	native     editedList[string]
	classbench editedList[classbench.Flags]
	tables     editedTables
	marker     marker

	mu sync.Mutex // of what follows
	in *packetReader
}

// newLoader compiles the rules of a file that will be reloaded.
func newLoader(a *app, cmd *classifyCmd, file *files.Rules) (*loader, error) {
	l := &loader{app: a, cmd: cmd}
	c, _, err := l.compile(a.ctx, file)
	if err != nil {
		return nil, err
	}
	l.file, l.versions = file, newVersions(c)
	return l, nil
}

// changes is what a reload has changed.
type changes struct {
	kept, inserted, deleted, moved, replaced int
	tables                                   *rules.TablesScript // nil for lists
	fields                                   bool                // of lists: others
}

func (c *changes) String() string {
	text := fmt.Sprintf("%s kept, %d inserted, %d deleted, %d moved, %d replaced", plural(c.kept, "rule"), c.inserted, c.deleted, c.moved, c.replaced)
	if t := c.tables; t != nil {
		for _, x := range []struct {
			n           int
			thing, what string
		}{{t.AddedTables, "table", "added"}, {t.DroppedTables, "table", "dropped"}, {t.AddedChains, "chain", "added"}, {t.DroppedChains, "chain", "dropped"}} {
			if x.n > 0 {
				text += fmt.Sprintf("; %s %s", plural(x.n, x.thing), x.what)
			}
		}
		if t.Policies == 1 {
			text += "; 1 policy changed"
		} else if t.Policies > 0 {
			text += fmt.Sprintf("; %d policies changed", t.Policies)
		}
	}
	if c.fields {
		text += "; other fields"
	}
	return text
}

func changesOf(s *rules.Script) changes {
	return changes{kept: s.Kept, inserted: s.Inserted, deleted: s.Deleted, moved: s.Moved, replaced: s.Replaced, fields: s.SchemaChanged}
}

func changesOfTables(s *rules.TablesScript) changes {
	return changes{kept: s.Kept, inserted: s.Inserted, deleted: s.Deleted, moved: s.Moved, replaced: s.Replaced, tables: s}
}

// opened tells the loader what reads the packets, whose keys are of the form f0.
func (l *loader) opened(in *packetReader, f0 *form) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in = in
	if f := l.versions.newest.Load(); f != f0 {
		// The rules were reloaded meanwhile.
		var err error
		f.binding, err = in.Bind(f.schema)
		return err
	}
	return nil
}

// reload reads the rule file. settled reports whether it is still what it was when
// the reading began.
func (l *loader) reload(settled func() bool) {
	start := time.Now()
	file, err := l.read()
	if !settled() || l.app.ctx.Err() != nil {
		return // there will be another reload, or none at all
	}
	var what changes
	if err == nil {
		what, err = l.take(file)
	}
	switch {
	case l.app.ctx.Err() != nil:
	case err != nil:
		l.app.program().Fail(err)
		l.app.complain(fmt.Errorf("%s: not reloaded: the rules of before stay in force", l.cmd.Rules))
	default:
		l.app.complain(fmt.Errorf("%s: reloaded in %s: %v", l.cmd.Rules, roundTime(time.Since(start)), &what))
	}
}

// read reads the rule file, which must be one: to open another thing may take for
// ever.
func (l *loader) read() (*files.Rules, error) {
	if info, err := os.Stat(l.cmd.Rules); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", l.cmd.Rules)
	}
	return l.app.readRules(&l.cmd.RuleFlags)
}

// take has the rules of a file decide packets from now on, if it can.
func (l *loader) take(file *files.Rules) (what changes, err error) {
	if file.Format != l.file.Format {
		return what, fmt.Errorf("%s: the file held %s rules and holds %s rules now, for which packets are read otherwise: start anew", file.Name, l.file.Format, file.Format)
	}
	path, err := l.cmd.way(file)
	if err != nil {
		return what, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.versions.newest.Load()
	if s := schemaOf(file, path); !f.schema.Equal(s) {
		f = &form{schema: s}
		if l.in != nil {
			if f.binding, err = l.in.Bind(s); err != nil {
				return what, err
			}
		}
	}
	c, what, err := l.compile(l.app.ctx, file)
	if err != nil {
		return what, err
	}
	l.file = file
	l.reloads++
	c.reloads = l.reloads
	l.versions.publish(c, f)
	return what, nil
}

// schemaOf returns the schema of the keys for a file's rules.
func schemaOf(file *files.Rules, path rules.Path) *rules.Schema {
	switch {
	case path != nil:
		return path[0].Table.Schema
	case file.Native != nil:
		return file.Native.Schema()
	}
	return file.ClassBench.Schema()
}

// compile makes the program of a file's rules, and says what has changed in them.
func (l *loader) compile(ctx context.Context, file *files.Rules) (c *compiled, what changes, err error) {
	c = &compiled{engine: l.cmd.Engine}
	start := l.app.now()
	switch {
	case file.Tables != nil && c.engine == engineTree:
		c.program, what, err = l.takeTables(ctx, file, start)
	case file.Tables != nil:
		return l.compileTables(file)
	case file.Native != nil:
		c.program, what, err = l.native.take(ctx, &l.marker, file.Native, c.engine, textValue)
	default:
		c.program, what, err = l.classbench.take(ctx, &l.marker, file.ClassBench, c.engine, nil)
	}
	c.build = l.app.now().Sub(start)
	if err != nil {
		if ctx.Err() != nil {
			return nil, what, errInterrupted
		}
		return nil, what, files.Error(file.Name, err)
	}
	return c, what, nil
}

// editedList is a list that becomes other lists by edits.
type editedList[T comparable] struct {
	live  *hipac.Live[T] // nil for other engines than the tree
	list  *rules.List[T] // nil: there is none yet
	ids   []rules.ID     // of live, by position
	marks marks
}

// take makes the list another one, and returns the program of it.
func (e *editedList[T]) take(ctx context.Context, m *marker, list *rules.List[T], engine engine, value func(T) string) (program, changes, error) {
	next := editedList[T]{list: list}
	p := &listProgram[T]{list: list, value: value}
	var script *rules.Script // from e
	var err error
	if engine != engineTree {
		if p, err = newListProgram(ctx, list, engine, value); err != nil {
			return nil, changes{}, err
		}
	} else if e.live != nil {
		a, err := e.live.Apply(ctx, list, rules.ComparableValues[T]())
		switch {
		case err == nil:
			next.live, next.ids, script = e.live, a.IDs, a.Script
		case !errors.Is(err, hipac.ErrSchema):
			return nil, changes{}, err
		}
	}
	if engine == engineTree && next.live == nil {
		if next.live, err = hipac.NewLive(ctx, list, nil); err != nil {
			return nil, changes{}, err
		}
		next.ids = make([]rules.ID, list.Len())
		for i, r := range list.All() {
			next.ids[i] = r.ID
		}
	}
	if engine == engineTree {
		s := next.live.Snapshot()
		p.position = func(k rules.Key) (int, bool) {
			found, ok := s.Locate(k)
			return found.Position, ok
		}
	}
	var what changes
	switch {
	case e.list == nil:
		next.marks = m.all(list.Len())
	case script != nil:
		next.marks, what = m.of(script, e.marks, positionsOf(e.ids)), changesOf(script)
	default:
		script = rules.Diff(e.list, list)
		next.marks, what = m.of(script, e.marks, e.list.Position), changesOf(script)
	}
	p.marks = next.marks
	*e = next
	return p, what, nil
}

// positionsOf returns the function from identities to positions.
func positionsOf(ids []rules.ID) func(rules.ID) int {
	at := make(map[rules.ID]int, len(ids))
	for i, id := range ids {
		at[id] = i
	}
	return func(id rules.ID) int {
		if i, ok := at[id]; ok {
			return i
		}
		return -1
	}
}

// takeTables has the tables become those of a file, and returns their program.
func (l *loader) takeTables(ctx context.Context, file *files.Rules, start time.Time) (program, changes, error) {
	path, err := l.cmd.way(file)
	if err != nil {
		return nil, changes{}, err
	}
	p, what, err := l.tables.take(ctx, &l.marker, file, path, l.cmd.Beside.Sets(), newMemory(l.cmd.Seed, start))
	if err != nil {
		return nil, what, err
	}
	p.hook = string(l.cmd.Hook)
	return p, what, nil
}

// compileTables compiles the tables of a file anew, for other engines than the tree.
func (l *loader) compileTables(file *files.Rules) (c *compiled, what changes, err error) {
	if c, err = l.app.compile(file, l.cmd.Engine, &l.cmd.wayFlags, l.cmd.Seed); err != nil {
		return nil, what, err
	}
	var old []*rules.Table
	var before map[chainName]marks
	if l.file != nil {
		old = l.file.Tables.Tables
		before = l.versions.program().program.(*tableProgram).marks
	}
	s, err := rules.DiffTables(old, file.Tables.Tables)
	if err != nil {
		return nil, what, files.Error(file.Name, err)
	}
	c.program.(*tableProgram).marks = l.marker.ofTables(s, before, old)
	return c, changesOfTables(s), nil
}

// keepUp reloads whenever the files change, until the function that it returns is
// called.
func (l *loader) keepUp(w *watcher) (stop func()) {
	signals, quiet := l.app.hangups()
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(l.app.ctx)
	done.Go(func() { w.run(ctx, signals, l.reload, l.app.complain) })
	return func() {
		quiet()
		cancel()
		done.Wait()
	}
}

// watch begins to watch the files that rules are read from.
func (cmd *classifyCmd) watch() (*watcher, error) {
	switch cmd.Rules {
	case "":
		return nil, files.BadUsage("--watch needs --rules FILE")
	case "-":
		return nil, files.BadUsage("--watch: standard input cannot be read again")
	}
	paths := []string{cmd.Rules}
	for _, p := range []string{cmd.Sets, cmd.Routes, cmd.Users, cmd.Groups, cmd.Connlabels} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return newWatcher(paths)
}

// shared returns an app for several goroutines, whose context ends with stop.
func (a *app) shared() (b *app, stop func()) {
	b = &app{}
	*b = *a
	var mu sync.Mutex
	b.stderr = &lockedWriter{mu: &mu, w: a.stderr}
	b.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return a.now()
	}
	b.ctx, stop = context.WithCancel(a.ctx)
	return b, stop
}

// lockedWriter is a writer for several goroutines.
type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}
