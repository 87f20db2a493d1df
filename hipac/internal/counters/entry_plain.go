//go:build amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64 || s390x

package counters

// Counting with plain stores, where a 64-bit word is stored as a whole.

// add counts one packet. Only the owner of the entry may call it. It is hidden
// from the race detector because others load the words while it stores them;
// the package documentation says why that is sound.
//
//go:norace
func (e *entry) add(bytes, now uint64) {
	e.packets++
	e.bytes += bytes
	e.last = max(e.last, now)
}
