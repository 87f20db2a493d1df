package xt

// Match bpf: programs of the classic packet filter machine (McCanne and
// Jacobson 1993), with Linux's extensions, checked when they are loaded and
// run on a packet's bytes from its IP header on. Programs only jump forward,
// so that a run takes no more steps than the program has instructions.

import (
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// MaxProgram is the number of instructions of the longest program of a match.
const MaxProgram = 64

// Instruction is one instruction of a program.
type Instruction struct {
	Code   uint16
	JT, JF uint8 // instructions to skip when a condition holds, and when not
	K      uint32
}

// Codes: class, size, mode, operation and source of an instruction.
const (
	bpfLD   = 0x00
	bpfLDX  = 0x01
	bpfST   = 0x02
	bpfSTX  = 0x03
	bpfALU  = 0x04
	bpfJMP  = 0x05
	bpfRET  = 0x06
	bpfMISC = 0x07

	bpfW = 0x00
	bpfH = 0x08
	bpfB = 0x10

	bpfIMM = 0x00
	bpfABS = 0x20
	bpfIND = 0x40
	bpfMEM = 0x60
	bpfLEN = 0x80
	bpfMSH = 0xa0

	bpfADD = 0x00
	bpfSUB = 0x10
	bpfMUL = 0x20
	bpfDIV = 0x30
	bpfOR  = 0x40
	bpfAND = 0x50
	bpfLSH = 0x60
	bpfRSH = 0x70
	bpfNEG = 0x80
	bpfMOD = 0x90
	bpfXOR = 0xa0

	bpfJA   = 0x00
	bpfJEQ  = 0x10
	bpfJGT  = 0x20
	bpfJGE  = 0x30
	bpfJSET = 0x40

	bpfX   = 0x08 // operand X instead of K
	bpfA   = 0x10 // RET: A instead of K
	bpfTAX = 0x00
	bpfTXA = 0x80
)

// memWords is the number of words of scratch memory.
const memWords = 16

// Offsets that stand for something else than the packet's bytes.
const (
	bpfNetOff  = 0xfff00000 // from the network header
	bpfLinkOff = 0xffe00000 // from the link-layer header
	bpfExtOff  = 0xfffff000 // an extension
)

// Extensions, behind bpfExtOff.
const (
	extProtocol   = 0
	extPktType    = 4
	extIfIndex    = 8
	extNlAttr     = 12
	extNlAttrNest = 16
	extMark       = 20
	extQueue      = 24
	extHaType     = 28
	extRxHash     = 32
	extCPU        = 36
	extXorX       = 40
	extVLAN       = 44
	extHasVLAN    = 48
	extPayload    = 52
	extRandom     = 56
	extVLANProto  = 60
	extLast       = extVLANProto
)

// operations are the codes that there are.
var operations = func() (ok [256]bool) {
	for _, op := range []int{bpfADD, bpfSUB, bpfMUL, bpfDIV, bpfOR, bpfAND, bpfLSH, bpfRSH, bpfMOD, bpfXOR} {
		ok[bpfALU|op], ok[bpfALU|op|bpfX] = true, true
	}
	for _, op := range []int{bpfJEQ, bpfJGT, bpfJGE, bpfJSET} {
		ok[bpfJMP|op], ok[bpfJMP|op|bpfX] = true, true
	}
	for _, code := range []int{bpfALU | bpfNEG, bpfJMP | bpfJA, bpfST, bpfSTX, bpfRET, bpfRET | bpfA, bpfMISC | bpfTAX, bpfMISC | bpfTXA,
		bpfLD | bpfW | bpfABS, bpfLD | bpfH | bpfABS, bpfLD | bpfB | bpfABS, bpfLD | bpfW | bpfIND, bpfLD | bpfH | bpfIND, bpfLD | bpfB | bpfIND,
		bpfLD | bpfW | bpfLEN, bpfLD | bpfIMM, bpfLD | bpfMEM, bpfLDX | bpfW | bpfLEN, bpfLDX | bpfB | bpfMSH, bpfLDX | bpfIMM, bpfLDX | bpfMEM} {
		ok[code] = true
	}
	return ok
}()

// NewBPF checks a program, as Linux does when it loads one, and returns the
// test that it returns something other than 0. The error says which
// instruction is wrong, counted from 0.
func NewBPF(program []Instruction) (rules.Test, error) {
	if err := checkProgram(program); err != nil {
		return nil, err
	}
	b := &bpfTest{program: make([]Instruction, len(program))}
	copy(b.program, program)
	return b, nil
}

func checkProgram(program []Instruction) error {
	n := len(program)
	if n == 0 {
		return fmt.Errorf("empty program")
	}
	if n > MaxProgram {
		return fmt.Errorf("program has %d instructions: at most %d", n, MaxProgram)
	}
	for pc, in := range program {
		bad := func(reason string) error {
			return fmt.Errorf("instruction %d (%d %d %d %d): %s", pc, in.Code, in.JT, in.JF, in.K, reason)
		}
		if in.Code > 255 || !operations[in.Code] {
			return bad("no such operation")
		}
		left := n - pc - 1 // instructions behind this one
		switch in.Code & 7 {
		case bpfALU:
			if in.Code&bpfX != 0 {
				break
			}
			switch in.Code & 0xf0 {
			case bpfDIV, bpfMOD:
				if in.K == 0 {
					return bad("division by 0")
				}
			case bpfLSH, bpfRSH:
				if in.K >= 32 {
					return bad("shift by more than 31 bits")
				}
			}
		case bpfLD, bpfLDX:
			switch in.Code & 0xe0 {
			case bpfMEM:
				if in.K >= memWords {
					return bad("scratch memory has 16 words")
				}
			case bpfABS:
				if in.K >= bpfExtOff && (in.K-bpfExtOff > extLast || in.K&3 != 0) {
					return bad("no such extension")
				}
			}
		case bpfST, bpfSTX:
			if in.K >= memWords {
				return bad("scratch memory has 16 words")
			}
		case bpfJMP:
			if in.Code == bpfJMP|bpfJA {
				if in.K >= uint32(left) {
					return bad("jumps beyond the end")
				}
			} else if int(in.JT) >= left || int(in.JF) >= left {
				return bad("jumps beyond the end")
			}
		}
	}
	if c := program[n-1].Code; c != bpfRET && c != bpfRET|bpfA {
		return fmt.Errorf("instruction %d: the last one must return", n-1)
	}
	return checkMemory(program)
}

// checkMemory refuses programs that on some way read a word of scratch memory
// before they wrote it.
func checkMemory(program []Instruction) error {
	const all = 1<<memWords - 1
	var arriving [MaxProgram]uint32 // words that are written on all jumps to an instruction
	for i := range arriving {
		arriving[i] = all
	}
	written := uint32(0)
	for pc, in := range program {
		written &= arriving[pc]
		switch in.Code & 7 {
		case bpfST, bpfSTX:
			written |= 1 << in.K
		case bpfLD, bpfLDX:
			if in.Code&0xe0 == bpfMEM && written>>in.K&1 == 0 {
				return fmt.Errorf("instruction %d: word %d of scratch memory may be read before it is written", pc, in.K)
			}
		case bpfJMP:
			if in.Code == bpfJMP|bpfJA {
				arriving[pc+1+int(in.K)] &= written
			} else {
				arriving[pc+1+int(in.JT)] &= written
				arriving[pc+1+int(in.JF)] &= written
			}
			written = all // what follows is reached by jumps only
		}
	}
	return nil
}

type bpfTest struct{ program []Instruction }

func (b *bpfTest) Ask(s rules.Subject) (rules.Outcome, string) {
	t := bytesOf(s)
	if t == nil {
		return rules.Unsure, needsPacket
	}
	ret, needs := b.run(t)
	if needs != "" {
		return rules.Unsure, needs
	}
	return answer(ret != 0), ""
}

// run returns what the program returns, or what it would have to know.
func (b *bpfTest) run(t *Traversal) (ret uint32, needs string) {
	var a, x uint32
	var mem [memWords]uint32
	for pc := 0; pc < len(b.program); pc++ {
		in := &b.program[pc]
		operand := in.K
		if in.Code&bpfX != 0 {
			operand = x
		}
		switch in.Code & 7 {
		case bpfLD:
			v, end, needs := b.load(t, in, a, x, &mem)
			if end || needs != "" {
				return 0, needs
			}
			a = v
		case bpfLDX:
			switch in.Code & 0xe0 {
			case bpfIMM:
				x = in.K
			case bpfMEM:
				x = mem[in.K%memWords]
			case bpfLEN:
				total, _ := packetLen(&t.Packet)
				x = uint32(total)
			case bpfMSH:
				v, end, needs := loadAt(t, in.K, 1)
				if end || needs != "" {
					return 0, needs
				}
				x = v & 15 << 2
			}
		case bpfST:
			mem[in.K%memWords] = a
		case bpfSTX:
			mem[in.K%memWords] = x
		case bpfALU:
			var ok bool
			if a, ok = compute(in.Code&0xf0, a, operand); !ok {
				return 0, ""
			}
		case bpfJMP:
			if in.Code == bpfJMP|bpfJA {
				pc += int(in.K)
				break
			}
			if compare(in.Code&0xf0, a, operand) {
				pc += int(in.JT)
			} else {
				pc += int(in.JF)
			}
		case bpfRET:
			if in.Code&bpfA != 0 {
				return a, ""
			}
			return in.K, ""
		case bpfMISC:
			if in.Code&bpfTXA != 0 {
				a = x
			} else {
				x = a
			}
		}
	}
	return 0, ""
}

// compute returns a op v; false for a division by 0, which ends the program.
func compute(op uint16, a, v uint32) (uint32, bool) {
	switch op {
	case bpfADD:
		a += v
	case bpfSUB:
		a -= v
	case bpfMUL:
		a *= v
	case bpfDIV:
		if v == 0 {
			return 0, false
		}
		a /= v
	case bpfMOD:
		if v == 0 {
			return 0, false
		}
		a %= v
	case bpfOR:
		a |= v
	case bpfAND:
		a &= v
	case bpfXOR:
		a ^= v
	case bpfLSH:
		a <<= v & 31
	case bpfRSH:
		a >>= v & 31
	case bpfNEG:
		a = -a
	}
	return a, true
}

func compare(op uint16, a, v uint32) bool {
	switch op {
	case bpfJEQ:
		return a == v
	case bpfJGT:
		return a > v
	case bpfJGE:
		return a >= v
	}
	return a&v != 0
}
