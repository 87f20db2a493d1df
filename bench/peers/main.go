// Command peers holds classifiers of other projects, for package bench/compare
// to measure beside ours: it answers requests on its standard input, and is
// started by the harness, once for each of them. It is a module of its own, so
// that users of the library never download what it needs.
//
//	go -C bench/peers build -o peers .            # those in Go
//	go -C bench/peers build -tags dpdk -o peers . # and DPDK's, with libdpdk-dev
//
// Each peer is a package of internal: it says rules in the peer's own way, or
// which rule there is no way for, and makes its packets ahead, so that what is
// timed is the peer's lookup and the loop around it.
package main

import (
	"fmt"
	"os"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/peers/internal/dpdk"
	"github.com/hipac-go/classifier/bench/peers/internal/gvisor"
	"github.com/hipac-go/classifier/bench/peers/internal/lpm"
	"github.com/hipac-go/classifier/bench/peers/internal/nebula"
	"github.com/hipac-go/classifier/bench/peers/internal/tailscale"
)

// makers returns those of all peers.
func makers() []*compare.Maker {
	return append([]*compare.Maker{tailscale.Maker(), gvisor.Maker(), lpm.Maker(), nebula.Maker()}, dpdk.Makers()...)
}

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "peers: it takes no arguments; the bench harness starts it, and asks on standard input")
		os.Exit(2)
	}
	out, err := replies()
	if err == nil {
		err = compare.Serve(os.Stdin, out, makers())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
}
