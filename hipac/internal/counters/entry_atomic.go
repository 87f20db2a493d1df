//go:build !(amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x)

package counters

import "sync/atomic"

// Counting with atomic stores, where a 64-bit word is stored in halves.

// add counts one packet. Only the owner of the entry may call it, so its own
// loads need not be atomic.
func (e *entry) add(bytes, now uint64) {
	atomic.StoreUint64(&e.packets, e.packets+1)
	atomic.StoreUint64(&e.bytes, e.bytes+bytes)
	if now > e.last {
		atomic.StoreUint64(&e.last, now)
	}
}
