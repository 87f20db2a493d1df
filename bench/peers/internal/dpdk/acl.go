//go:build dpdk

package dpdk

// The engine over librte_acl. DPDK is started once in a process, when the first
// list comes.

// #cgo pkg-config: libdpdk
// #cgo CFLAGS: -O2
// #include <stdlib.h>
// #include "acl.h"
import "C"

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/peers/internal/tuple"
	"github.com/hipac-go/classifier/rules"
)

// Makers returns the makers of all algorithms.
func Makers() []*compare.Maker {
	all := describe()
	for i, a := range algorithms {
		all[i].Source = "DPDK librte_acl, " + C.GoString(C.acl_version())
		all[i].Skip = func() string { return missing(a.number) }
		all[i].Make = func(ctx context.Context, l *rules.List[string], bytes int64) (compare.Engine, error) {
			return makeEngine(ctx, l, bytes, a)
		}
	}
	return all
}

// missing says what an algorithm needs that this processor does not have, or "".
func missing(number int) string {
	x := &cpu.X86
	switch number {
	case algSSE:
		if !x.HasSSE41 {
			return "the processor has no SSE4.1"
		}
	case algAVX2:
		if !x.HasAVX2 {
			return "the processor has no AVX2"
		}
	case algAVX512x16, algAVX512x32:
		if !x.HasAVX512F || !x.HasAVX512VL || !x.HasAVX512CD || !x.HasAVX512BW {
			return "the processor has no AVX-512 (F, VL, CD and BW)"
		}
	}
	return ""
}

// Memory of DPDK's heap, in MiB, which must be said when it starts; pages that
// are not touched cost nothing.
const (
	leastMemory = 2048
	mostMemory  = 8192
)

// heapMemory is what DPDK's heap got, in MiB.
var heapMemory int

var start = sync.OnceValue(func() error {
	var why [200]C.char
	for mib := mostMemory; mib >= leastMemory; mib /= 2 {
		// It tries once: a start that failed is not repeated by the library.
		if mib > leastMemory && !enough(mib) {
			continue
		}
		if C.acl_start(C.int(mib), &why[0], C.size_t(len(why))) == 0 {
			heapMemory = mib
			return nil
		}
		break
	}
	return errors.New("DPDK does not start: " + C.GoString(&why[0]))
})

// enough reports whether the process may have so much memory, by mapping it.
func enough(mib int) bool {
	b, err := syscall.Mmap(-1, 0, mib<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return false
	}
	return syscall.Munmap(b) == nil
}

type engine struct {
	algorithm
	list    *tuple.List
	acl     *C.struct_acl
	bytes   int64
	size    int // of a packet
	packets unsafe.Pointer
}

func makeEngine(ctx context.Context, l *rules.List[string], bytes int64, a algorithm) (compare.Engine, error) {
	t, err := tuple.Read(l)
	if err != nil {
		return nil, err
	}
	if len(t.Rules) == 0 {
		return nil, fmt.Errorf("%w: a list without rules", compare.ErrUnsupported)
	}
	if err := start(); err != nil {
		return nil, err
	}
	if a.number != algDefault && C.acl_can(C.int(a.number)) == 0 {
		return nil, fmt.Errorf("%w: the library does not run this algorithm here", compare.ErrUnsupported)
	}
	all := make([]C.struct_tuple_rule, len(t.Rules))
	for i := range t.Rules {
		r := &t.Rules[i]
		c := &all[i]
		c.userdata = C.uint32_t(r.Position + 1)
		c.priority = C.int32_t(l.Len() - r.Position) // the highest wins
		words(r.Src, &c.src, &c.src_bits)
		words(r.Dst, &c.dst, &c.dst_bits)
		c.sport_first, c.sport_last = C.uint16_t(r.Sport.First), C.uint16_t(r.Sport.Last)
		c.dport_first, c.dport_last = C.uint16_t(r.Dport.First), C.uint16_t(r.Dport.Last)
		c.proto, c.proto_mask = C.uint8_t(r.Proto), C.uint8_t(r.ProtoMask)
	}
	e := &engine{algorithm: a, list: t, size: int(C.acl_packet_bytes(cBool(t.IPv6)))}
	// The bound decides how far rules are shared out among tries: with none the
	// library saves memory, and lookups walk more tries. In an ipc1 set of 10,000
	// rules 13 MB came to 51-85 ns a packet, 180 MB to 30-61 ns (four runs each, in
	// turn, on a busy machine).
	size := int64(heapMemory) << 20 / 4 * 3
	if bytes > 0 {
		size = min(size, bytes)
	}
	var errno C.int
	var grown C.size_t
	e.acl = C.acl_make(&all[0], C.uint32_t(len(all)), cBool(t.IPv6), C.size_t(size), &errno, &grown)
	if e.acl == nil {
		err := syscall.Errno(errno)
		if err == syscall.ENOMEM || err == syscall.ERANGE {
			return nil, fmt.Errorf("%w: building the tries: %w", compare.ErrMemory, err)
		}
		return nil, fmt.Errorf("building the tries: %w", err)
	}
	e.bytes = int64(grown)
	return e, ctx.Err()
}

func cBool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// words writes a prefix as words and how many bits of each count.
func words(p netip.Prefix, to *[4]C.uint32_t, bits *[4]C.uint8_t) {
	b := p.Masked().Addr().AsSlice()
	for i := range len(b) / 4 {
		to[i] = C.uint32_t(binary.BigEndian.Uint32(b[4*i:]))
		bits[i] = C.uint8_t(max(0, min(32, p.Bits()-32*i)))
	}
}

// CanAsk reports whether the packet has all fields.
func (e *engine) CanAsk(k rules.Key) bool { return e.list.Whole(k) }

// Prepare lays the packets out: protocol, three bytes of nothing, addresses and
// ports, in network byte order.
func (e *engine) Prepare(keys []uint32) error {
	C.free(e.packets)
	n := e.list.Len(keys)
	if e.packets = C.malloc(C.size_t(n * e.size)); e.packets == nil {
		return fmt.Errorf("%w: %d packets", compare.ErrMemory, n)
	}
	all := unsafe.Slice((*byte)(e.packets), n*e.size)
	for i := range n {
		p := e.list.Packet(e.list.At(keys, i))
		b := append(all[i*e.size:i*e.size], p.Proto, 0, 0, 0)
		b = append(b, p.Src.AsSlice()...)
		b = append(b, p.Dst.AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, p.Sport)
		binary.BigEndian.AppendUint16(b, p.Dport)
	}
	return nil
}

func (e *engine) FirstPrepared(from int, out []int32) {
	if len(out) == 0 {
		return
	}
	at := unsafe.Add(e.packets, from*e.size)
	rc := C.acl_first(e.acl, (*C.uint8_t)(at), C.size_t(e.size), (*C.int32_t)(&out[0]), C.uint32_t(len(out)), C.uint32_t(e.burst), C.int(e.number))
	if rc != 0 {
		for i := range out {
			out[i] = -1000 // no answer at all: wrong everywhere
		}
	}
}

func (e *engine) First([]uint32, []int32) {} // FirstPrepared is asked instead

func (e *engine) Bytes() int64 { return e.bytes }

func (e *engine) Close() {
	C.acl_free(e.acl)
	C.free(e.packets)
	e.acl, e.packets = nil, nil
}
