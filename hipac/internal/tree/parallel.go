package tree

// Parallel building: the subtrees of the upper nodes of a large root are tasks.
// Where tasks begin and end depends on numbers of entries alone. Each builds
// into arrays of its own, which are then put behind one another in the order of
// the tasks, with their references moved. One worker does the same tasks one
// after another where their bytes belong. The bytes of a tree do not depend on
// the number of workers.
//
// Moving needs no walk: all words of slots are references or, below 2^32, tags
// and empty leaves, until the buckets are written at the end.

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/hipac/internal/lower"
)

const (
	// parallelRows is the number of entries from which a root is built in tasks.
	parallelRows = 50_000
	// forkRows is the number of entries from which the subtrees of a node are
	// tasks of their own. A tree of 100,000 rules has one to three such nodes on
	// a path, each of which copies what is below it once.
	forkRows = 1 << 14
	// taskRows is the number of entries of a task: subtrees of fewer go together.
	taskRows = 1 << 11
)

// errStopped is the error of tasks that stop because another has failed.
var errStopped = errors.New("stopped")

// buildAll builds the subtrees of a node, in order.
func (b *Builder) buildAll(dim int, list []subtree, depth int, hasSpan bool) {
	total := 0
	for i := range list {
		total += len(list[i].entries)
	}
	if b.pool == nil || total < b.cfg.forkRows {
		for i := range list {
			b.build(dim, &list[i], depth, hasSpan)
		}
		return
	}
	tasks := b.deal(list)
	before := b.tree.used()
	if !b.alone {
		b.pool.run(len(tasks), func(i int) {
			t := &tasks[i]
			t.b = b.fork()
			for j := range t.list {
				t.b.build(dim, &t.list[j], depth, hasSpan)
			}
			if t.b.err != nil {
				b.pool.stop()
			}
		})
		b.reserve(tasks)
	}
	for i := range tasks {
		if t := &tasks[i]; t.b == nil || !b.join(t) {
			b.inPlace(before, func() {
				for j := range t.list {
					b.build(dim, &t.list[j], depth, hasSpan)
				}
			})
		}
		if b.ok(); tasks[i].b != nil {
			b.pool.live.Add(-tasks[i].b.live)
			tasks[i].b = nil
		}
	}
}

// inPlace does a task by the builder itself, and leaves what would have been
// left by another and joined: it does not fill blocks that are free already, and
// may take as much memory. before is what the tree took before the first task.
func (b *Builder) inPlace(before int64, do func()) {
	b.evenRows()
	holes, limit, alone := b.holes, b.cfg.MaxBytes, b.alone
	b.holes, b.alone = nil, true
	b.cfg.MaxBytes += b.tree.used() - before
	do()
	b.holes, b.cfg.MaxBytes, b.alone = append(holes, b.holes...), limit, alone
}

// evenRows makes leaves of several blocks stay at cache lines.
func (b *Builder) evenRows() {
	if t := &b.tree; len(t.rows)%2 != 0 {
		b.holes = append(b.holes, len(t.rows))
		t.rows = append(t.rows, row{})
	}
}

// reserve makes room for what the tasks have built.
func (b *Builder) reserve(tasks []task) {
	slots, lines, rows := 0, 0, 0
	for i := range tasks {
		t := &tasks[i].b.tree
		slots, lines, rows = slots+len(t.slots), lines+len(t.lines), rows+len(t.rows)+1
	}
	t := &b.tree
	t.slots, t.lines, t.rows = slices.Grow(t.slots, slots), slices.Grow(t.lines, lines), slices.Grow(t.rows, rows)
}

// task is some neighbouring subtrees of a node, with the builder they were
// built by.
type task struct {
	list []subtree
	b    *Builder
}

// deal makes tasks of the subtrees.
func (b *Builder) deal(list []subtree) (tasks []task) {
	first, entries := 0, 0
	for i := range list {
		if entries += len(list[i].entries); entries >= b.cfg.taskRows || i == len(list)-1 {
			tasks = append(tasks, task{list: list[first : i+1]})
			first, entries = i+1, 0
		}
	}
	return tasks
}

// fork returns a builder for a task below the node at hand.
func (b *Builder) fork() *Builder {
	c := &Builder{
		cfg: b.cfg, ctx: b.ctx,
		boxes: b.boxes, dims: b.dims, base: b.base,
		reach: slices.Clone(b.reach), hull: slices.Clone(b.hull),
		pending:    b.pending,
		allColumns: b.allColumns, allClass: b.allClass, packed: b.packed,
		pool: b.pool,
	}
	c.cfg.MaxBytes -= b.tree.used()
	c.plan.init(&c.cfg)
	c.tree.plain = b.tree.plain
	c.tree.classes = slices.Clone(b.tree.classes)
	return c
}

// join puts what a task has built behind what there is. It reports false when
// there are too many classes for that.
func (b *Builder) join(k *task) bool {
	t, u := &b.tree, &k.b.tree
	if b.err == nil || b.err == errStopped {
		if k.b.err != nil {
			b.err = k.b.err
		}
	}
	if b.err != nil {
		return true
	}
	if k.b.classless {
		return false
	}
	var classes [maxClasses]Ref
	had := len(t.classes)
	for i := range u.classes {
		n, ok := b.classOf(u.classes[i])
		if !ok {
			t.classes = t.classes[:had]
			return false
		}
		classes[i] = Ref(n)
	}
	b.evenRows()
	slots, lines, rows, buckets := Ref(len(t.slots)), Ref(len(t.lines)), Ref(len(t.rows)), Ref(len(b.buckets))
	move := func(r Ref) Ref {
		switch {
		case r < 1<<32: // a tag, or an empty leaf
			return r
		case r.isTable():
			return r + slots
		case r.isInterval():
			return r + lines
		case r.form() == formBucket:
			return r + buckets
		case r.form() == formSparse:
			return r + rows
		}
		return r&^((maxClasses-1)<<classAt) + rows | classes[r.class()]<<classAt
	}
	for _, s := range u.slots {
		t.slots = append(t.slots, uint64(move(Ref(s))))
	}
	for i := range u.lines {
		u.lines[i][intervalBounds] += uint32(slots)
	}
	t.lines = append(t.lines, u.lines...)
	t.rows = append(t.rows, u.rows...)
	for _, off := range k.b.holes {
		b.holes = append(b.holes, off+int(rows))
	}
	b.buckets = append(b.buckets, k.b.buckets...)
	t.plain = t.plain && u.plain
	for i := range k.list {
		k.list[i].ref = move(k.list[i].ref)
	}
	return true
}

// pool shares the tasks of a root among its workers.
type pool struct {
	limit int64        // of bytes at a time
	live  atomic.Int64 // bytes of all builders

	mu      sync.Mutex
	changed sync.Cond
	open    []*batchOfTasks // that have tasks to be taken, the newest last
	closed  bool
	stopped bool // a task has failed
	helpers sync.WaitGroup
}

// batchOfTasks is the tasks of one node.
type batchOfTasks struct {
	do         func(i int)
	n          int
	next, done int
}

// newPool returns a pool of so many workers, of which the caller is one, whose
// builders may take so many bytes at a time.
func newPool(workers int, limit int64) *pool {
	p := &pool{limit: limit}
	p.changed.L = &p.mu
	for range workers - 1 {
		p.helpers.Go(p.help)
	}
	return p
}

// close ends the helpers.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.changed.Broadcast()
	p.helpers.Wait()
}

// check counts what a builder takes and tells it whether to go on.
func (p *pool) check(b *Builder) error {
	used := b.tree.used()
	total := p.live.Add(used - b.live)
	if b.live = used; total > p.limit {
		return lower.ErrMemory
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errStopped
	}
	return nil
}

// stop makes the builders give up.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
}

// run does tasks 0 to n-1 and returns when all are done. Who waits for tasks of
// his own that others are at does tasks of other nodes.
func (p *pool) run(n int, do func(i int)) {
	own := &batchOfTasks{do: do, n: n}
	p.mu.Lock()
	p.open = append(p.open, own)
	p.changed.Broadcast()
	for own.done < n {
		if own.next < n {
			p.one(own)
		} else if len(p.open) > 0 {
			p.one(p.open[len(p.open)-1])
		} else {
			p.changed.Wait()
		}
	}
	p.mu.Unlock()
}

// help does tasks until the pool is closed.
func (p *pool) help() {
	p.mu.Lock()
	for !p.closed {
		if len(p.open) > 0 {
			p.one(p.open[len(p.open)-1])
		} else {
			p.changed.Wait()
		}
	}
	p.mu.Unlock()
}

// one does the next task of k. The lock is held before and after.
func (p *pool) one(k *batchOfTasks) {
	i := k.next
	if k.next++; k.next == k.n {
		p.open = slices.DeleteFunc(p.open, func(o *batchOfTasks) bool { return o == k })
	}
	p.mu.Unlock()
	k.do(i)
	p.mu.Lock()
	if k.done++; k.done == k.n {
		p.changed.Broadcast()
	}
}
