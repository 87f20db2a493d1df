//go:build linux

package kernel

// The kernel's counters of a table, read as libiptc reads them: the socket
// options give the table as one block of entries, in which the chains follow
// one another. A read takes some microseconds, so that counters can be
// compared behind every packet.

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// count is a pair of counters.
type count struct{ packets, bytes uint64 }

// kernelTable reads the counters of one table.
type kernelTable struct {
	fd, level int
	info      [84]byte // struct ipt_getinfo
	block     []byte   // struct ipt_get_entries
	chains    []kernelChain
}

// kernelChain says where the counters of a chain's rules are in the block. The
// last is that of the policy, and in a user chain that of its end.
type kernelChain struct {
	name string
	at   []int
}

var hookChains = [...]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}

// openTable finds the chains of a table that is loaded.
func openTable(t *testing.T, family int, name string) *kernelTable {
	t.Helper()
	k := &kernelTable{level: syscall.SOL_IP}
	domain, counters, target := syscall.AF_INET, 96, 88 // in struct ipt_entry
	if family == 6 {
		k.level, domain, counters, target = syscall.SOL_IPV6, syscall.AF_INET6, 152, 140
	}
	fd, err := syscall.Socket(domain, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.IPPROTO_RAW)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	k.fd = fd
	copy(k.info[:], name)
	require.NoError(t, k.get(64, k.info[:]))
	word := func(i int) int { return int(binary.NativeEndian.Uint32(k.info[32+4*i:])) }
	valid, size := word(0), word(12)
	k.block = make([]byte, 40+size)
	copy(k.block, name)
	binary.NativeEndian.PutUint32(k.block[32:], uint32(size))
	require.NoError(t, k.get(65, k.block))

	var chain *kernelChain
	for at := 0; at < size; {
		entry := k.block[40+at:]
		to := int(binary.NativeEndian.Uint16(entry[target:]))
		next := int(binary.NativeEndian.Uint16(entry[target+2:]))
		for h, name := range hookChains {
			if valid>>h&1 != 0 && word(1+h) == at {
				k.chains = append(k.chains, kernelChain{name: name})
				chain = &k.chains[len(k.chains)-1]
			}
		}
		if name, _, _ := bytes.Cut(entry[to+2:to+31], []byte{0}); string(name) == "ERROR" {
			user, _, _ := bytes.Cut(entry[to+32:], []byte{0})
			k.chains = append(k.chains, kernelChain{name: string(user)})
			chain = &k.chains[len(k.chains)-1]
		} else {
			chain.at = append(chain.at, 40+at+counters)
		}
		at += next
	}
	k.chains = k.chains[:len(k.chains)-1] // the end of the table looks like a chain
	return k
}

func (k *kernelTable) get(option int, to []byte) error {
	n := uint32(len(to))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(k.fd), uintptr(k.level), uintptr(option),
		uintptr(unsafe.Pointer(&to[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// find returns the index of the named chain, or -1.
func (k *kernelTable) find(name string) int {
	for i := range k.chains {
		if k.chains[i].name == name {
			return i
		}
	}
	return -1
}

// read returns the counters of all chains, reusing into.
func (k *kernelTable) read(t *testing.T, into [][]count) [][]count {
	t.Helper()
	require.NoError(t, k.get(65, k.block))
	if into == nil {
		into = make([][]count, len(k.chains))
	}
	for i, c := range k.chains {
		into[i] = into[i][:0]
		for _, at := range c.at {
			into[i] = append(into[i], count{binary.NativeEndian.Uint64(k.block[at:]), binary.NativeEndian.Uint64(k.block[at+8:])})
		}
	}
	return into
}
