// Package dpdk has librte_acl, the access control library of DPDK: multi-bit
// tries over the bytes of a packet, walked for many packets at once. It is there
// with the build tag dpdk.
package dpdk

import "github.com/hipac-go/classifier/bench/compare"

// algorithm is a way of librte_acl to classify.
type algorithm struct {
	name, title string
	number      int // enum rte_acl_classify_alg
	burst       int // packets in a call
}

// Numbers of enum rte_acl_classify_alg; 0 is what the library takes by itself.
const (
	algDefault   = 0
	algScalar    = 1
	algSSE       = 2
	algAVX2      = 3
	algAVX512x16 = 6
	algAVX512x32 = 7
)

// burst is the number of packets in a call, as DPDK's programs receive them.
const burst = 32

var algorithms = []algorithm{
	{"dpdk-acl-avx512x32", "librte_acl, AVX-512, 32 flows", algAVX512x32, burst},
	{"dpdk-acl-avx512x16", "librte_acl, AVX-512, 16 flows", algAVX512x16, burst},
	{"dpdk-acl-avx2", "librte_acl, AVX2", algAVX2, burst},
	{"dpdk-acl-sse", "librte_acl, SSE4.1", algSSE, burst},
	{"dpdk-acl-scalar", "librte_acl, scalar", algScalar, burst},
	{"dpdk-acl-single", "librte_acl, one packet at a time", algDefault, 1},
}

// describe returns makers that do not make anything yet.
func describe() []*compare.Maker {
	var all []*compare.Maker
	for _, a := range algorithms {
		m := &compare.Maker{Name: a.name, Title: a.title, Source: "DPDK librte_acl",
			Note: "rte_acl_classify_alg on 32 packets a call, which are laid out before; built for speed, with as much memory as it may take. " +
				"With a smaller bound it takes less, and lookups longer: of 10,000 ipc1 rules 13 MB and 51 to 85 ns instead of 180 MB and 30 to 61 ns. Its memory is the growth of DPDK's heap while " +
				"rte_acl_build runs; the rules, which it keeps for the next build, are not counted. Its heap has large pages where the kernel makes them."}
		if a.burst == 1 {
			m.Note = "rte_acl_classify on one packet a call, with the algorithm that the library takes by itself; memory as with bursts."
		}
		all = append(all, m)
	}
	return all
}
