package main

// The command gen connections: the packets of connections, as a pcap file or
// into a TUN device.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/bench/connections"
	"github.com/hipac-go/classifier/rules/files"
)

type genConnectionsCmd struct {
	Profile  string `required:"" placeholder:"NAMES" help:"What the connections are like: a profile, or several with weights (http=8,dns=2); list: print the profiles."`
	Profiles string `placeholder:"FILE" help:"Profiles of your own, besides the ready ones and instead of those of the same name; - for standard input."`
	Count    int64  `default:"1000" placeholder:"N" help:"Number of connections (default 1000); 10k and 1M are numbers too."`
	From     string `default:"random" placeholder:"ADDRS" help:"Clients: random, or addresses and prefixes with commas between them (default random)."`
	To       string `placeholder:"ADDRS" help:"Servers, as --from (default 192.0.2.7, or 2001:db8::7)."`
	IPv6     bool   `name:"ipv6" help:"IPv6 where addresses do not say it."`
	Seed     uint64 `default:"1" placeholder:"N" help:"Which of the runs (default 1): the same flags give the same packets on every machine."`

	Out   string  `short:"o" placeholder:"FILE" help:"pcap file to write; - for standard output." group:"Output"`
	Link  *string `placeholder:"LINK" help:"What the file holds: ethernet frames, or raw IP packets (default ethernet)." group:"Output"`
	Start *string `placeholder:"TIME" help:"When the file begins, as in RFC 3339 (default 2020-01-01T00:00:00Z)." group:"Output"`
	TUN   string  `name:"tun" placeholder:"NAME" help:"Instead of a file: send the packets into a TUN device (Linux), opened or made; afterwards it is as it was." group:"Output"`
	Speed *string `placeholder:"X" help:"With --tun: how many times faster than they would come; max: as fast as possible (default 1)." group:"Output"`
	Stats bool    `help:"Print how many there are of what, and how fast they were made; without --out and --tun nothing else is made of them." group:"Output"`

	Rate     float64 `default:"1000" placeholder:"N" help:"Connections that begin in a second (default 1000)." group:"Time"`
	Arrivals string  `default:"poisson" placeholder:"HOW" help:"How they begin: poisson, even or bursts of a hundred (default poisson)." group:"Time"`
	RTT      string  `name:"rtt" placeholder:"TIME" help:"Round-trip time, such as 20ms, 5ms-80ms or 'about 30ms'." group:"Instead of what the profiles say"`
	Live     int     `default:"500000" placeholder:"N" help:"Connections under way at the same time at most; further ones wait (default 500000)." group:"Time"`

	Loss         string `placeholder:"P%" help:"Packets that are lost." group:"Instead of what the profiles say"`
	Reset        string `placeholder:"P%" help:"TCP connections that end by a reset." group:"Instead of what the profiles say"`
	Fragments    string `placeholder:"P%" help:"Connections whose packets come in fragments." group:"Instead of what the profiles say"`
	FragmentSize *int   `placeholder:"BYTES" help:"Size of these fragments (default 576, in IPv6 1280)." group:"Instead of what the profiles say"`
	MTU          int    `name:"mtu" default:"1500" placeholder:"BYTES" help:"Longest IP packet; longer datagrams come in fragments (default 1500)."`
}

// Help is shown in front of the flags.
func (genConnectionsCmd) Help() string {
	var names []string
	for _, p := range connections.Ready() {
		names = append(names, p.Name)
	}
	return `Ready profiles: ` + strings.Join(names, ", ") + `.
--profile list prints them as the text that --profiles reads, to be changed.
The documentation of the package bench/connections has the format, says what is
modelled and what is not: go doc ./bench/connections.

Addresses, for --from and --to:

    random                       any of the global Internet
    192.0.2.7                    one
    10.0.0.0/8=3,192.0.2.0/24    prefixes, the first three times as often
    zipf:10.0.0.0/16             few addresses often, most rarely
    turn:10.0.0.0/24             one after the other

Examples:

    bench gen connections --profile http --count 10k --from random --to 192.0.2.7 --seed 1 --out c.pcap
    bench gen connections --profile http=8,dns=2 --count 1M --loss 1% --reset 2% --out - | tcpdump -nr - 'icmp or udp'
    bench gen connections --profile synflood --count 100k --rate 20000 --to 2001:db8::7 --out flood.pcap
    bench gen connections --profile game --profiles my.txt --tun tun0 --speed 10

Packets come in the order of time over all connections, both directions, as an
observer between clients and servers sees them. Memory depends on how many
connections are under way at the same time, which --live bounds, not on --count:
0.5 to 1 kB each in most profiles, 4 kB in one of long transfers such as bulk.
`
}

// Run makes the connections.
func (cmd *genConnectionsCmd) Run(a *app) error {
	known, text, err := cmd.known(a)
	if err != nil {
		return err
	}
	if cmd.Profile == "list" {
		if cmd.Out != "" || cmd.TUN != "" || cmd.Stats {
			return files.BadUsage("--profile list: the profiles are printed on standard output, and no connections made: --out, --tun and --stats are not for it")
		}
		_, err := io.WriteString(a.stdout, text)
		return err
	}
	switch {
	case cmd.Out != "" && cmd.TUN != "":
		return files.BadUsage("--out and --tun: one of them")
	case cmd.Out == "" && cmd.TUN == "" && !cmd.Stats:
		return files.BadUsage("nowhere to put the packets: --out FILE, --tun NAME, or --stats alone")
	case cmd.Speed != nil && cmd.TUN == "":
		return files.BadUsage("--speed: is for --tun NAME; a file has the times of the packets")
	case cmd.Link != nil && cmd.Out == "":
		return files.BadUsage("--link: is for --out FILE; a TUN device takes IP packets")
	case cmd.Start != nil && cmd.Out == "":
		return files.BadUsage("--start: is for --out FILE")
	}
	cfg, err := cmd.config(known)
	if err != nil {
		return err
	}
	link, err := connections.ParseLink(given(cmd.Link, "ethernet"))
	if err != nil {
		return files.BadUsage("--link: %v", err)
	}
	begin := given(cmd.Start, "2020-01-01T00:00:00Z")
	start, err := time.Parse(time.RFC3339, begin)
	if err != nil || start.Unix() < 0 || start.Unix() > 1<<32-1 {
		return files.BadUsage("--start %q: not a time from 1970-01-01 to 2106-02-07 such as 2020-01-01T00:00:00Z", begin)
	}
	speed := 0.0
	if text := given(cmd.Speed, "1"); text != "max" {
		if speed, err = strconv.ParseFloat(text, 64); err != nil || !(speed >= 1e-3 && speed <= 1e9) {
			return files.BadUsage("--speed %q: not max, and no number from 0.001 to 1000000000", text)
		}
	}
	g, err := connections.New(cfg)
	if err != nil {
		return files.BadUsage("%v", err)
	}
	return cmd.put(a, g, link, start, speed)
}

// put makes the packets and brings them where they go.
func (cmd *genConnectionsCmd) put(a *app, g *connections.Generator, link connections.Link, start time.Time, speed float64) error {
	if err := distinct(cmd.Out, cmd.Profiles); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	const parts = 1000 // of the progress bar, which counts in int
	bar := a.newProgress("connections", parts)
	at := func(begun int64) { bar.at(int(begun * parts / cmd.Count)) }
	began := time.Now()
	var err error
	switch {
	case cmd.TUN != "":
		err = cmd.play(ctx, g, speed, at)
	case cmd.Out != "":
		err = a.writeOut(cmd.Out, func(w io.Writer) error {
			if err := g.WritePcap(ctx, w, link, start, at); err != nil {
				return files.Error(outName(cmd.Out), err)
			}
			return nil
		})
	default:
		err = g.Play(ctx, io.Discard, 0, at)
	}
	bar.done()
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if err != nil {
		return err
	}
	s := g.Stats()
	if s.Delayed > 0 {
		a.warn("warning: connections began more slowly than --rate says: %d had to wait until another ended, as --live were under way or all ports taken", s.Delayed)
	}
	if !cmd.Stats {
		return nil
	}
	to := a.stdout
	if cmd.Out == "-" {
		to = a.stderr
	}
	took := time.Since(began).Seconds()
	_, err = fmt.Fprintf(to, "connections  %d, at most %d at a time\npackets      %d, %s\ntime         %.3f s of traffic, made in %.3f s: %.0f packets a second\n",
		s.Begun, s.MostLive, s.Packets, size(s.Bytes), s.Last.Seconds(), took, float64(s.Packets)/took)
	return err
}

func (cmd *genConnectionsCmd) play(ctx context.Context, g *connections.Generator, speed float64, at func(int64)) error {
	tun, err := connections.OpenTUN(cmd.TUN)
	if err != nil {
		return err
	}
	if err := g.Play(ctx, tun, speed, at); err != nil {
		tun.Close()
		return err
	}
	return tun.Close()
}

func outName(path string) string {
	if path == "-" {
		return "standard output"
	}
	return path
}

// known returns the profiles by their names, and their text.
func (cmd *genConnectionsCmd) known(a *app) (map[string]connections.Profile, string, error) {
	known := map[string]connections.Profile{}
	for _, p := range connections.Ready() {
		known[p.Name] = p
	}
	if cmd.Profiles == "" {
		return known, connections.ReadyText(), nil
	}
	r, name, done, err := files.Open(cmd.Profiles, a.stdin)
	if err != nil {
		return nil, "", err
	}
	defer done()
	var text strings.Builder
	list, err := connections.ParseProfiles(io.TeeReader(r, &text), name)
	if err != nil {
		if errors.As(err, new(*connections.ParseError)) {
			return nil, "", err
		}
		return nil, "", files.Error(name, err)
	}
	for _, p := range list {
		known[p.Name] = p
	}
	return known, text.String(), nil
}

// config reads the flags.
func (cmd *genConnectionsCmd) config(known map[string]connections.Profile) (cfg connections.Config, err error) {
	cfg = connections.Config{Count: cmd.Count, IPv6: cmd.IPv6, Rate: cmd.Rate, MTU: cmd.MTU, Seed: cmd.Seed, MaxLive: cmd.Live}
	for _, flag := range []struct {
		name  string
		value int64
	}{{"count", cmd.Count}, {"mtu", int64(cmd.MTU)}, {"live", int64(cmd.Live)}} {
		if flag.value < 1 {
			return cfg, files.BadUsage("--%s %d: at least 1", flag.name, flag.value)
		}
	}
	if !(cmd.Rate > 0) { // not a number either
		return cfg, files.BadUsage("--rate %g: above 0", cmd.Rate)
	}
	if cfg.Arrivals, err = connections.ParseArrivals(cmd.Arrivals); err != nil {
		return cfg, files.BadUsage("--arrivals: %v", err)
	}
	if cfg.From, err = connections.ParseAddresses(cmd.From); err != nil {
		return cfg, files.BadUsage("--from: %v", err)
	}
	to := cmd.To
	if to == "" {
		to = "192.0.2.7"
		if cmd.IPv6 || cfg.From.Is6() {
			to = "2001:db8::7"
		}
	}
	if cfg.To, err = connections.ParseAddresses(to); err != nil {
		return cfg, files.BadUsage("--to: %v", err)
	}
	tcp, fragments := false, false
	for word := range strings.SplitSeq(cmd.Profile, ",") {
		name, number, weighted := strings.Cut(strings.TrimSpace(word), "=")
		w := connections.Weighted{Weight: 1}
		if weighted {
			if w.Weight, err = strconv.Atoi(number); err != nil || w.Weight < 1 || w.Weight > 1e6 {
				return cfg, files.BadUsage("--profile %s: %q is no weight from 1 to 1000000", name, number)
			}
		}
		p, ok := known[name]
		if !ok {
			return cfg, files.BadUsage("--profile: %q is unknown; --profile list prints the profiles", name)
		}
		if w.Profile, err = cmd.instead(p); err != nil {
			return cfg, err
		}
		tcp = tcp || p.Proto == connections.TCP
		fragments = fragments || w.Fragments > 0
		cfg.Profiles = append(cfg.Profiles, w)
	}
	if cmd.Reset != "" && !tcp {
		return cfg, files.BadUsage("--reset: no profile is of tcp")
	}
	if cmd.FragmentSize != nil && !fragments {
		return cfg, files.BadUsage("--fragment-size: no connections come in fragments; --fragments P%% says how many do")
	}
	return cfg, nil
}

// instead puts what flags say in the place of what a profile says.
func (cmd *genConnectionsCmd) instead(p connections.Profile) (connections.Profile, error) {
	for _, flag := range []struct {
		name, value string
		share       *connections.Share
	}{{"loss", cmd.Loss, &p.Loss}, {"reset", cmd.Reset, &p.Reset}, {"fragments", cmd.Fragments, &p.Fragments}} {
		if flag.value == "" || flag.share == &p.Reset && p.Proto != connections.TCP {
			continue
		}
		share, err := connections.ParseShare(flag.value)
		if err != nil {
			return p, files.BadUsage("--%s: %v", flag.name, err)
		}
		*flag.share = share
	}
	if cmd.RTT != "" {
		rtt, err := connections.ParseRTT(cmd.RTT)
		if err != nil {
			return p, files.BadUsage("--rtt: %v", err)
		}
		p.RTT = rtt
	}
	if size := cmd.FragmentSize; size != nil {
		if *size < 1 {
			return p, files.BadUsage("--fragment-size %d: at least 68", *size)
		}
		p.FragmentSize = *size
	}
	return p, nil
}
