package main

// Watching files: when one changes, however an editor or a tool does that, there
// is one call a moment later.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/hipac-go/classifier/rules/files"
)

const (
	// settle is how long after a change nothing must happen before the files are
	// read: editors write in pieces, remove and rename.
	settle = 50 * time.Millisecond
	// settleMost is how long a reading is put off at most by a file that changes
	// again and again.
	settleMost = time.Second
	// lookAgain is how often a directory is looked for that has gone.
	lookAgain = 500 * time.Millisecond
)

// watcher watches files. Their directories are what is watched, since a file
// that is replaced by a renamed one is another file; where links lead, too.
type watcher struct {
	fs      *fsnotify.Watcher
	paths   []string        // absolute
	names   map[string]bool // of the files, links followed or not
	dirs    map[string]bool // that are watched
	missing bool            // a directory is not there
	seen    []os.FileInfo   // of the files when they were read; nil for none
}

// newWatcher begins to watch. The files must be there and be regular ones.
func newWatcher(paths []string) (*watcher, error) {
	w := &watcher{names: map[string]bool{}, dirs: map[string]bool{}}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, files.Error(p, err)
		}
		if !info.Mode().IsRegular() {
			return nil, files.BadUsage("--watch: %s is no regular file", p)
		}
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, files.Error(p, err)
		}
		w.paths = append(w.paths, abs)
	}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		return nil, fmt.Errorf("--watch: %w", err)
	}
	if err := w.follow(); err != nil {
		w.close()
		return nil, fmt.Errorf("--watch: %w", err)
	}
	w.seen = w.look()
	return w, nil
}

func (w *watcher) close() { w.fs.Close() }

// follow watches the directories of the files and of what they link to. The error
// is of one that is there and cannot be watched.
func (w *watcher) follow() error {
	clear(w.names)
	w.missing = false
	dirs := map[string]bool{}
	for _, p := range w.paths {
		w.names[p] = true
		dirs[filepath.Dir(p)] = true
		if to, err := filepath.EvalSymlinks(p); err == nil {
			w.names[to] = true
			dirs[filepath.Dir(to)] = true
		}
	}
	for d := range w.dirs {
		if !dirs[d] {
			_ = w.fs.Remove(d)
			delete(w.dirs, d)
		}
	}
	var failure error
	listed := w.fs.WatchList()
	for d := range dirs {
		if slices.Contains(listed, d) {
			w.dirs[d] = true
			continue
		}
		delete(w.dirs, d)
		switch err := w.fs.Add(d); {
		case err == nil:
			w.dirs[d] = true
		case errors.Is(err, os.ErrNotExist):
			w.missing = true
		default:
			failure = files.Error(d, err)
		}
	}
	return failure
}

// look returns what the files are at the moment.
func (w *watcher) look() []os.FileInfo {
	list := make([]os.FileInfo, len(w.paths))
	for i, p := range w.paths {
		if info, err := os.Stat(p); err == nil {
			list[i] = info
		}
	}
	return list
}

// sameFiles reports whether nothing shows that files have changed.
func sameFiles(a, b []os.FileInfo) bool {
	return slices.EqualFunc(a, b, func(x, y os.FileInfo) bool {
		if x == nil || y == nil {
			return x == nil && y == nil
		}
		return os.SameFile(x, y) && x.Size() == y.Size() && x.ModTime().Equal(y.ModTime())
	})
}

// run calls reload after each change of the files and each signal, until the
// context ends. settled, which reload gets, reports whether the files are still
// what they were when it was called; when they are not, it is called again.
func (w *watcher) run(ctx context.Context, hangups <-chan os.Signal, reload func(settled func() bool), complain func(error)) {
	var latest time.Time // when to read, whatever happens
	wait := time.NewTimer(time.Hour)
	wait.Stop()
	waiting, changed := false, false
	again := func() {
		now := time.Now()
		if !waiting {
			waiting, latest = true, now.Add(settleMost)
		}
		wait.Reset(min(settle, max(latest.Sub(now), 0)))
	}
	missing := time.NewTicker(lookAgain)
	defer missing.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			changed = true
			if !waiting {
				again()
			}
		case e, ok := <-w.fs.Events:
			switch {
			case !ok:
				return
			case e.Op == fsnotify.Chmod:
			case w.names[e.Name]:
				changed = true
				again()
			case !waiting: // a link on the way may have changed, or it is another file
				again()
			}
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				complain(fmt.Errorf("--watch: %w", err))
			}
			changed = true
			again()
		case <-missing.C:
			if w.missing || len(w.fs.WatchList()) < len(w.dirs) {
				if w.follow(); !sameFiles(w.seen, w.look()) {
					again()
				}
			}
		case <-wait.C:
			waiting = false
			if err := w.follow(); err != nil {
				complain(fmt.Errorf("--watch: %w", err))
			}
			now := w.look()
			if !changed && sameFiles(w.seen, now) {
				continue
			}
			changed = false
			w.seen = now
			reload(func() bool { return sameFiles(now, w.look()) })
			if !sameFiles(now, w.look()) {
				changed = true
				again()
			}
		}
	}
}
