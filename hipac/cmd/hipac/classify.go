package main

// The command classify: rules and packets in, what decided each packet out.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hipac-go/classifier/rules/files"
	"github.com/hipac-go/classifier/rules/packet"
)

type classifyCmd struct {
	files.RuleFlags   `group:"Rules"`
	files.PacketFlags `group:"Packets"`
	wayFlags
	Watch   bool   `short:"w" help:"Read the rules again whenever their file changes; --sets, --routes, --users, --groups and --connlabels too." group:"Rules"`
	Seed    uint64 `default:"1" placeholder:"N" help:"iptables: seed of the random numbers that rules draw; a run can be repeated exactly (default 1)." group:"Rules"`
	Engine  engine `enum:"tree,index,linear" default:"tree" placeholder:"NAME" help:"How to look up: tree (fast, the default), index, linear (slow and simple); all give the same answers."`
	Output  string `enum:"text,json,csv,id" default:"text" placeholder:"FORM" help:"text for people (the default), json (a JSON object a line), csv, or id (one line per packet, see above)."`
	Color   string `enum:"auto,always,never" default:"auto" placeholder:"WHEN" help:"Colours in text: auto (the default: on a terminal, unless NO_COLOR is set), always, never."`
	Verbose bool   `short:"v" help:"text: print a line per packet however many there are; without it only up to 50."`
	Top     int    `default:"10" placeholder:"N" help:"text: how many of the rules that decided to list (default 10)."`
}

// Help is shown in front of the flags.
func (classifyCmd) Help() string {
	return `Without --rules and --packets a built-in firewall decides a built-in capture.

Examples:

    hipac classify --rules office.rules --packets today.pcapng
    iptables-save | hipac classify --rules - --packets today.pcap --chain INPUT
    tcpdump -w - -U -i eth0 | hipac classify --rules office.rules --packets - --output json
    hipac classify --rules acl1.rules --packets acl1.trace --output id
    hipac classify --rules save.txt --packets today.pcap --hook input --meta 'in=eth0 ctstate=NEW'
    tcpdump -w - -U -i eth0 | hipac classify --watch --rules office.rules --packets - --output json

Every packet counts: one that cannot be decoded, because it is damaged or not
IP, is reported as ERROR and the rest goes on. Packets that the capture holds only
the beginning of, without all headers, and packets whose headers are short are
classified without the missing fields, and counted ("cut" and "short"); iptables
rules that read a short header drop the packet, as in the kernel, and those that
ask for what was not captured make it UNKNOWN. A capture that is cut ends the run with exit code 1 behind what came before. An interrupted run
(Ctrl-C) ends with the summary of what was done, and exit code 1.

--watch is for packets that go on coming, from a pipe or a FIFO. When the rules, or
--sets and the like beside them, change, or on SIGHUP, they are read again, and
packets that are read from then on are decided by them. What has changed is said
on stderr:

    hipac: office.rules: reloaded in 1.3ms: 24 rules kept, 1 inserted, 0 deleted, 0 moved, 2 replaced
    hipac: office.rules:7:6: unknown field "dprot"
    hipac: office.rules: not reloaded: the rules of before stay in force

A file that cannot be read is tried again when it changes again. Half a file can
be as good as a whole one: write another file, and rename it. The summary counts
rules by what they are: those that are kept or moved go on, and those that are gone
are marked. iptables rules that are kept or moved also go on remembering: a limit or
a quota is where it was. So do sets, unless the file of --sets has changed: then they
are as the file says. Engines other than tree forget all that on a reload.

--output id prints exactly one line per packet. For lists, whose rules are counted as
hipac print shows them (an entry of a Cisco list may come to several):

    NUMBER                     the first rule that matches, counted from 1
    0                          no rule matches
    UNKNOWN<TAB>NUMBER         that rule asks for something unknown
    ERROR                      the packet cannot be decoded

For iptables and nftables rules, where VERDICT is ACCEPT, DROP, REJECT, QUEUE or
STOLEN; with --hook, CHAIN is TABLE:CHAIN, and an accepted packet's is that of filter, or of
the last table:

    VERDICT<TAB>CHAIN/NUMBER   the rule of the chain that decides, from 1
    VERDICT<TAB>CHAIN/policy   no rule does, but the policy of the chain
    UNKNOWN<TAB>CHAIN/NUMBER   that rule asks for something unknown
    NONE<TAB>CHAIN/family      the table does not see packets of this family
    NONE<TAB>CHAIN/known       the table nat sees the first packet of a connection only
    ERROR                      the packet cannot be decoded

Rules with a memory (limit, recent, quota) see packets at the time of their
capture, and draw random numbers from --seed: a run can be repeated exactly. A
match that asks for what nobody said (owner without uid=) is UNKNOWN; --meta
says it, in the words of "hipac trace --help".

Fields that a packet does not have, such as the ports of ICMP, meet no
condition, negated or not. Interfaces and connection states are not in a
packet: --in-interface, --out-interface, --ctstate and --capture-interface say
what they are; conditions on them do not hold otherwise. A field that rules ask
for and that no packet has is named in the end.`
}

var errInterrupted = errors.New("interrupted")

// Run classifies.
func (cmd *classifyCmd) Run(a *app) error {
	demo := cmd.Rules == "" && cmd.Packets == ""
	switch {
	case demo:
	case cmd.Rules == "":
		return files.BadUsage("--packets needs --rules FILE")
	case cmd.Packets == "":
		return files.BadUsage("--rules needs --packets FILE")
	case cmd.Rules == "-" && cmd.Packets == "-":
		return files.BadUsage("rules and packets cannot both be standard input")
	}
	if cmd.Top < 0 {
		return files.BadUsage("--top %d is negative", cmd.Top)
	}
	var changes *watcher // nil: the rules stay as they are
	if cmd.Watch {
		var err error
		if changes, err = cmd.watch(); err != nil {
			return err
		}
		cmd.Beside = &files.Beside{}
		defer changes.close()
	}
	var file *files.Rules
	var err error
	if demo {
		file, err = files.ReadRules(bytes.NewReader(demoRules), demoRulesName, &cmd.RuleFlags)
	} else {
		file, err = a.readRules(&cmd.RuleFlags)
	}
	if err != nil {
		return err
	}
	a.tell(file)
	cmd.Tables = file.Tables != nil
	var prog *compiled
	var load *loader
	var opened *form
	if changes == nil {
		prog, err = a.compile(file, cmd.Engine, &cmd.wayFlags, cmd.Seed)
	} else {
		var stop func()
		a, stop = a.shared()
		if load, err = newLoader(a, cmd, file); err == nil {
			opened, prog = load.versions.newest.Load(), load.versions.program()
			defer load.keepUp(changes)()
		}
		defer stop()
	}
	if err != nil {
		return err
	}
	var in *packetReader
	if demo {
		if cmd.CaptureInterface == "none" {
			cmd.CaptureInterface = "in"
		}
		in, err = newPacketReader(bytes.NewReader(demoCapture), demoCaptureName, &cmd.PacketFlags, prog.schema())
	} else {
		in, err = a.openPackets(&cmd.PacketFlags, prog.schema())
	}
	if err != nil {
		return err
	}
	defer in.close()
	if load != nil {
		in.versions, in.form = load.versions, opened
		if err := load.opened(in, opened); err != nil {
			return err
		}
	}

	r := &classification{app: a, prog: prog, versions: in.versions, in: in, sum: newSummary(prog, file, in), out: bufio.NewWriterSize(a.stdout, 64<<10)}
	r.lines = cmd.Output != "text" || cmd.Verbose
	switch cmd.Output {
	case "id":
		r.report = &idReport{}
	case "json":
		r.report, in.details = &jsonReport{}, -1
	case "csv":
		r.report, in.details = &csvReport{}, -1
	default:
		t := newTextReport(a, cmd)
		r.report, in.details = t, maxLines+1
		if cmd.Verbose {
			in.details = -1
		}
		if demo {
			r.quiet = true // the table shows the one damaged packet
			t.title = demoTitle
		}
	}
	return r.run()
}

// report prints packets and, in the end, the summary.
type report interface {
	// packets prints what became of the packets of a chunk.
	packets(out *bufio.Writer, c *chunk) error
	// finish prints the rest.
	finish(out *bufio.Writer, s *summary) error
}

// classification is one run.
type classification struct {
	app    *app
	prog   *compiled // the one that decided last
	in     *packetReader
	report report
	sum    *summary
	out    *bufio.Writer
	quiet  bool // no warnings

	versions *versions // nil: there is one program
	lines    bool      // each packet is printed
}

// chunkSize returns how many packets are decoded ahead and classified at
// once: some milliseconds' worth of work, so that an interrupt or a progress
// bar does not wait long.
func (e engine) chunkSize() int {
	switch e {
	case engineLinear:
		return 512
	case engineIndex:
		return 1024
	}
	return 4096
}

func (r *classification) run() error {
	const chunks = 3 // one decoded, one classified, one between
	ctx, cancel := context.WithCancel(r.app.ctx)
	defer cancel()
	free, ready := make(chan *chunk, chunks), make(chan *chunk, 1)
	for range chunks {
		free <- &chunk{}
	}
	ended := make(chan error, 1)
	go func() { ended <- r.in.read(ctx, r.prog.engine.chunkSize(), free, ready) }()
	var bar *progress
	if !r.lines || !r.app.isTerminal(r.app.stdout) { // or it would get among the lines
		bar = r.app.newProgress(r.in.size)
		defer bar.done()
	}

	for more := true; more && ctx.Err() == nil; {
		select {
		case c, ok := <-ready:
			if more = ok; !ok {
				break
			}
			r.classify(ctx, c)
			r.count(c)
			if err := r.report.packets(r.out, c); err != nil {
				return err
			}
			if len(ready) == 0 {
				if err := r.out.Flush(); err != nil {
					return err
				}
			}
			bar.at(r.in.BytesRead(), r.sum.packets)
			free <- c
		case <-ctx.Done():
		}
	}
	err := errInterrupted
	if r.app.ctx.Err() == nil {
		err = <-ended
	}
	bar.done()
	r.sum.end(err)
	if r.versions != nil {
		r.sum.turn(r.versions.program())
	}
	if err := r.report.finish(r.out, r.sum); err != nil {
		return err
	}
	if err := r.out.Flush(); err != nil {
		return err
	}
	r.warn()
	return err
}

// blockSize is the number of packets that a worker takes at a time.
const blockSize = 64

// classify decides the packets of a chunk. The slow engines do so on all
// cores; the tree is done before the others would have begun. When the
// context ends, at most one packet a worker is still decided, which hostile
// rules can make millions of comparisons, and the chunk is cut to the packets
// in front of the first undecided one.
func (r *classification) classify(ctx context.Context, c *chunk) {
	if c.prog = r.prog; c.form != nil {
		c.prog = c.form.newest.Load()
	}
	n := len(c.entries)
	if cap(c.outcomes) < n {
		c.outcomes = make([]outcome, n)
	}
	c.outcomes = c.outcomes[:n]
	workers := 1
	if c.prog.engine != engineTree && !c.prog.inOrder() {
		workers = min(runtime.GOMAXPROCS(0), (n+blockSize-1)/blockSize)
	}
	start := r.app.now()
	var taken atomic.Int64
	stopped := make([]int, workers) // the first packet that each worker left undecided
	work := func(worker int) {
		stopped[worker] = n
		for {
			from := int(taken.Add(blockSize)) - blockSize
			if from >= n {
				return
			}
			to := min(from+blockSize, n)
			if at := r.block(ctx, c, from, to); at < to {
				stopped[worker] = at
				return
			}
		}
	}
	var wg sync.WaitGroup
	for worker := range workers - 1 {
		wg.Go(func() { work(worker + 1) })
	}
	work(0)
	wg.Wait()
	r.sum.time += r.app.now().Sub(start)
	// Every packet before the first one that was left is decided.
	n = slices.Min(stopped)
	c.entries, c.outcomes = c.entries[:n], c.outcomes[:n]
}

// block decides the packets from up to to, and returns the first one that is
// left undecided because the context ended.
func (r *classification) block(ctx context.Context, c *chunk, from, to int) int {
	p := c.prog.program
	w := p.schema().KeyLen()
	for i := from; i < to; i++ {
		if ctx.Err() != nil { // an atomic load
			return i
		}
		switch e := &c.entries[i]; {
		case e.err != nil:
			c.outcomes[i] = outcome{kind: bad}
		case e.info.Outside:
			c.outcomes[i] = p.outside()
		default:
			c.outcomes[i] = p.decide(c.keys[i*w:i*w+w:i*w+w], e)
		}
	}
	return to
}

// maxWarnings is the number of damaged packets that are reported one by one.
const maxWarnings = 5

// count adds a chunk to the summary and reports its damaged packets.
func (r *classification) count(c *chunk) {
	if c.prog != r.prog {
		if !c.prog.schema().Equal(r.prog.schema()) {
			r.sum.absent, r.sum.keys = ^uint32(0), false
		}
		r.sum.turn(c.prog)
		r.prog = c.prog
	}
	w := r.prog.schema().KeyLen()
	for i, o := range c.outcomes {
		r.sum.add(o)
		if o.kind != bad && o.kind != foreign && !c.entries[i].info.Outside {
			r.sum.absent &= c.keys[i*w]
			r.sum.keys = true
		}
		switch c.entries[i].noteFor(o) {
		case noteCut:
			r.sum.cut++
		case noteShort:
			r.sum.short++
		}
		if o.kind == unsure {
			r.sum.needs[r.prog.unknown(o, &c.entries[i])]++
		}
		if o.kind != bad {
			continue
		}
		if err := c.entries[i].err; errors.Is(err, packet.ErrNotIP) {
			r.sum.notIP++
		} else if r.sum.damaged++; r.sum.damaged <= maxWarnings && !r.quiet {
			r.app.complain(err)
		}
	}
}

// warn says on stderr what was not classified, beyond what count said.
func (r *classification) warn() {
	if r.quiet {
		return
	}
	if n := r.sum.damaged; n > maxWarnings {
		r.app.complain(fmt.Errorf("%s: %s more cannot be decoded", r.sum.packetsFile, plural(n-maxWarnings, "packet")))
	}
	if n := r.sum.notIP; n > 0 {
		r.app.complain(fmt.Errorf("%s: %s not IP (ARP and the like)", r.sum.packetsFile, are(n, "packet")))
	}
	if n := r.sum.cut; n > 0 {
		r.app.complain(fmt.Errorf("%s cut by the capture inside the headers: fields that are missing are unknown to iptables rules and absent to others", were(n, "packet")))
	}
	if n := r.sum.short; n > 0 {
		what := "the kernel would drop them where a rule reads the header; here those fields are absent"
		if _, ok := r.prog.program.(*tableProgram); ok {
			what = "rules that read the header drop them, as in the kernel"
		}
		r.app.complain(fmt.Errorf("%s short or broken headers: %s", have(n, "packet"), what))
	}
	_, tables := r.prog.program.(*tableProgram)
	for _, what := range slices.Sorted(maps.Keys(r.sum.needs)) {
		if how := needed(what, " in --meta"); tables && how != what {
			r.app.complain(fmt.Errorf("%s UNKNOWN for lack of %s", are(r.sum.needs[what], "packet"), how))
		}
	}
	if r.sum.keys {
		for _, line := range absentFields(r.prog.schema(), r.prog.asks(), r.sum.absent, r.sum.format, tables) {
			r.app.complain(line)
		}
	}
}

// are writes "1 packet is", "2 packets are".
func are(n int, thing string) string { return verb(n, thing, "is", "are") }

func were(n int, thing string) string { return verb(n, thing, "was", "were") }

func have(n int, thing string) string { return verb(n, thing, "has", "have") }

func verb(n int, thing, one, many string) string {
	if n == 1 {
		many = one
	}
	return plural(n, thing) + " " + many
}
