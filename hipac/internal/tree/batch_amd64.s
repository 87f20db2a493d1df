#include "textflag.h"
#include "go_asm.h"

// The AVX-512 walk of a batch.
//
// An item is a reference with the number of its key in the upper six bits. All
// items wait in queues, one for each kind of node: tables are stepped through
// eight at a time with gathers, and the eight new items are dealt to the queues
// by compressing; interval nodes take one comparison of a line each; leaves
// four rows at a time, with an item going round again while it has rows left.
// Nothing branches on what a key finds, but for absent fields and inexact rules,
// whose keys are left to the caller. Spans wait until all keys have
// come to leaves, so that most need not be visited.
//
// Registers
//	DI   the batch             R15  memory of the queues, below
//	R8   slots                 R9   keys
//	SI   items at hand         CX   their number
//	R10  end of new tables     R11  end of leaves
//	R12  end of intervals      R13  end of waiting spans

// Places in the memory of the queues. Each has room for a vector behind it.
#define VECTORS 0
#define TABLES0 2048
#define TABLES1 2688
#define RANGES0 3328
#define RANGES1 3968
#define LEAVES0 4608
#define LEAVES1 5248
#define SPANS   5888
#define ROWS    8512
#define QUEUES  8576
#define NONE    $const_none

// DEAL puts the item of a reference and a key into the queue of its kind, or
// into none when the reference is 0: it is written to all, and the end of one
// moves. It keeps the key.
#define DEAL(ref, key, tmp) \
	MOVQ key, tmp; \
	SHLQ $58, tmp; \
	ORQ ref, tmp; \
	MOVQ tmp, (R10); \
	MOVQ tmp, (R11); \
	MOVQ tmp, (R12); \
	MOVQ ref, tmp; \
	SHRQ $37, tmp; \
	ANDL $1, tmp; \
	LEAQ (R10)(tmp*8), R10; \
	MOVQ ref, tmp; \
	SHRQ $38, tmp; \
	ANDL $1, tmp; \
	LEAQ (R12)(tmp*8), R12; \
	CMPQ ref, $1; \
	SBBQ tmp, tmp; \
	SHRQ $37, ref; \
	ORQ ref, tmp; \
	TESTL $3, tmp; \
	SETEQ tmp; \
	MOVBLZX tmp, tmp; \
	LEAQ (R11)(tmp*8), R11

// NEEDS sets the zero flag when the rule of tag matches key BX, whose words its
// box holds: it is exact, and all fields that it needs are there. Where what rules
// need is not at hand, as in live trees, they need all.
#define NEEDS(tag, tmp, ptr, byrank, all, have) \
	MOVL tag, tmp; \
	SHRL $1, tmp; \
	MOVQ batch_wants(DI), ptr; \
	TESTQ ptr, ptr; \
	JEQ byrank; \
	MOVWLZX (ptr)(tmp*2), tmp; \
byrank: \
	MOVQ batch_needs(DI), ptr; \
	TESTQ ptr, ptr; \
	JEQ all; \
	MOVL (ptr)(tmp*4), tmp; \
	JMP have; \
all: \
	MOVL $0xffffffff, tmp; \
have: \
	MOVQ BX, ptr; \
	IMULQ batch_words(DI), ptr; \
	SHLQ $2, ptr; \
	ADDQ batch_keys(DI), ptr; \
	ANDL (ptr), tmp; \
	MOVL tag, ptr; \
	ANDL $1, ptr; \
	ORL ptr, tmp

DATA consts<>+0(SB)/8, $0xfc00000000000000 // lane
DATA consts<>+8(SB)/8, $0xff               // word
DATA consts<>+16(SB)/8, $31
DATA consts<>+24(SB)/8, $1
DATA consts<>+32(SB)/8, $0x0000008000000000 // spanBit
DATA consts<>+40(SB)/8, $0x0000002000000000 // tableBit
DATA consts<>+48(SB)/8, $0x0000004000000000 // lineBit
DATA consts<>+56(SB)/8, $0x0000006000000000 // tableBit|lineBit
DATA consts<>+64(SB)/8, $0x0003ff0000000000 // rows
DATA consts<>+72(SB)/8, $0x00000000ffffffff // offset
DATA consts<>+80(SB)/8, $0x2000000000000000 // eight lanes
GLOBL consts<>(SB), RODATA|NOPTR, $88

// The first eight lanes.
DATA lanes<>+0(SB)/8, $0x0000000000000000
DATA lanes<>+8(SB)/8, $0x0400000000000000
DATA lanes<>+16(SB)/8, $0x0800000000000000
DATA lanes<>+24(SB)/8, $0x0c00000000000000
DATA lanes<>+32(SB)/8, $0x1000000000000000
DATA lanes<>+40(SB)/8, $0x1400000000000000
DATA lanes<>+48(SB)/8, $0x1800000000000000
DATA lanes<>+56(SB)/8, $0x1c00000000000000
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// The low bounds in two rows.
DATA lows<>+0(SB)/8, $0x0000ffff00000000
DATA lows<>+8(SB)/8, $0x0000ffff0000ffff
DATA lows<>+16(SB)/8, $0x00000000ffffffff
DATA lows<>+24(SB)/8, $0x00000000ffffffff
DATA lows<>+32(SB)/8, $0x0000ffff00000000
DATA lows<>+40(SB)/8, $0x0000ffff0000ffff
DATA lows<>+48(SB)/8, $0x00000000ffffffff
DATA lows<>+56(SB)/8, $0x00000000ffffffff
GLOBL lows<>(SB), RODATA|NOPTR, $64

// The bytes that bring the widths of two rows to the places of their bounds.
DATA widths<>+0(SB)/8, $0x8080070680808080
DATA widths<>+8(SB)/8, $0x80800f0e80800b0a
DATA widths<>+16(SB)/8, $0x8080808007060504
DATA widths<>+24(SB)/8, $0x808080800f0e0d0c
DATA widths<>+32(SB)/8, $0x8080070680808080
DATA widths<>+40(SB)/8, $0x80800f0e80800b0a
DATA widths<>+48(SB)/8, $0x8080808007060504
DATA widths<>+56(SB)/8, $0x808080800f0e0d0c
GLOBL widths<>(SB), RODATA|NOPTR, $64

// func walkAVX512(b *batch) bool
TEXT ·walkAVX512(SB), 0, $8704-9
	MOVQ b+0(FP), DI
	LEAQ 63(SP), R15
	ANDQ $-64, R15
	MOVQ batch_slots(DI), R8
	MOVQ batch_keys(DI), R9
	VPBROADCASTQ consts<>+0(SB), Z20
	VPBROADCASTQ consts<>+8(SB), Z21
	VPBROADCASTQ consts<>+16(SB), Z22
	VPBROADCASTQ consts<>+24(SB), Z23
	VPBROADCASTQ consts<>+32(SB), Z24
	VPBROADCASTQ consts<>+40(SB), Z25
	VPBROADCASTQ consts<>+48(SB), Z26
	VPBROADCASTQ consts<>+56(SB), Z27
	VPBROADCASTQ consts<>+64(SB), Z28
	VPBROADCASTQ consts<>+72(SB), Z29
	VPBROADCASTQ batch_words(DI), Z30
	VMOVDQU32 lows<>(SB), Z16
	VMOVDQU32 widths<>(SB), Z17

	// Bring the keys into the order of class 0, and see which have absent fields.
	MOVQ batch_perms(DI), AX
	VMOVDQU32 (AX), Z18
	MOVL permutation_used(AX), BX
	KMOVB BX, K6
	MOVQ batch_wordMask(DI), BX
	KMOVW BX, K7
	MOVQ batch_words(DI), R14
	SHLQ $2, R14
	MOVQ R9, SI
	MOVQ batch_n(DI), CX
	LEAQ VECTORS(R15), DX
	XORL R13, R13
keys:
	VMOVDQU32.Z (SI), K7, Z0
	VPERMD.Z Z0, Z18, K6, Z1
	VMOVDQU32 Y1, (DX)
	ORL (SI), R13
	ADDQ R14, SI
	ADDQ $32, DX
	DECQ CX
	JNZ keys
	XORL AX, AX // keys with absent fields
	TESTL R13, R13
	JEQ present
	MOVQ batch_n(DI), CX
	SUBQ R14, SI
absent: // from the last key
	CMPL (SI), $1
	CMC
	ADCQ AX, AX
	SUBQ R14, SI
	DECQ CX
	JNZ absent
present:
	MOVQ AX, batch_absent(DI)
	MOVQ $0, batch_slow(DI)
	MOVL NONE, AX
	VPBROADCASTD AX, Z0
	VMOVDQU32 Z0, batch_best(DI)
	VMOVDQU32 Z0, batch_best+64(DI)
	VMOVDQU32 Z0, batch_best+128(DI)
	VMOVDQU32 Z0, batch_best+192(DI)
	LEAQ TABLES0(R15), R10
	LEAQ LEAVES0(R15), R11
	LEAQ RANGES0(R15), R12
	LEAQ SPANS(R15), R13

	// The keys begin at a root each, or at one.
	MOVQ batch_n(DI), CX
	XORL DX, DX
	MOVQ batch_root(DI), AX
	TESTQ AX, AX
	JEQ roots
	VPBROADCASTQ AX, Z0
	VMOVDQU64 lanes<>(SB), Z1
	VPBROADCASTQ consts<>+80(SB), Z2
	SHLQ $3, CX
	MOVQ R11, SI
	BTQ $37, AX
	CMOVQCS R10, SI
	BTQ $38, AX
	CMOVQCS R12, SI
	MOVQ SI, BX
	ADDQ CX, BX // the end
fill:
	VPORQ Z0, Z1, Z3
	VMOVDQU64 Z3, (SI)
	VPADDQ Z2, Z1, Z1
	ADDQ $64, SI
	CMPQ SI, BX
	JCS fill
	BTQ $38, AX
	CMOVQCS BX, R12
	JCS dealt
	BTQ $37, AX
	CMOVQCS BX, R10
	JCS dealt
	MOVQ BX, R11
	JMP dealt
roots:
	MOVQ batch_roots(DI), SI
rooted:
	MOVQ (SI)(DX*8), AX
	DEAL(AX, DX, BX)
	INCQ DX
	CMPQ DX, CX
	JNE rooted
	JMP dealt

	// Eight items of tables at a time.
tables:
	MOVL $0xff, AX
	BZHIL CX, AX, BX
	KMOVB BX, K1
	VMOVDQU64.Z (SI), K1, Z0
	VPSRLQ $58, Z0, Z1
	VPMULUDQ Z30, Z1, Z1
	VPSRLQ $const_wordAt, Z0, Z2
	VPANDQ Z21, Z2, Z2
	VPADDQ Z2, Z1, Z1 // index of the word in keys
	KMOVB BX, K2
	VPXORQ Z3, Z3, Z3
	VPGATHERQD (R9)(Z1*4), K2, Y3
	VPMOVZXDQ Y3, Z3
	VPSRLQ $const_shiftAt, Z0, Z4
	VPANDQ Z22, Z4, Z4
	VPSRLVQ Z4, Z3, Z3
	VPSRLQ $const_countAt, Z0, Z4
	VPANDQ Z22, Z4, Z4
	VPSLLVQ Z4, Z23, Z5
	VPSUBQ Z23, Z5, Z5
	VPANDQ Z5, Z3, Z3
	VPANDQ Z29, Z0, Z4
	VPADDQ Z4, Z3, Z3 // index of the slot
	KMOVB BX, K2
	VPXORQ Z6, Z6, Z6
	VPGATHERQQ (R8)(Z3*8), K2, Z6
	VPANDQ Z20, Z0, Z7
	VPTESTMQ Z28, Z6, K1, K5 // has rows, or other bits there
	VPORQ Z7, Z6, Z6

	VPTESTMQ Z24, Z0, K1, K3
	VPCOMPRESSQ.Z Z0, K3, Z8
	VMOVDQU64 Z8, (R13)
	KMOVB K3, AX
	POPCNTL AX, AX
	LEAQ (R13)(AX*8), R13

	VPTESTMQ Z25, Z6, K1, K3
	VPCOMPRESSQ.Z Z6, K3, Z8
	VMOVDQU64 Z8, (R10)
	KMOVB K3, AX
	POPCNTL AX, AX
	LEAQ (R10)(AX*8), R10

	VPTESTMQ Z26, Z6, K1, K3
	VPCOMPRESSQ.Z Z6, K3, Z8
	VMOVDQU64 Z8, (R12)
	KMOVB K3, AX
	POPCNTL AX, AX
	LEAQ (R12)(AX*8), R12

	VPTESTNMQ Z27, Z6, K5, K3
	VPCOMPRESSQ.Z Z6, K3, Z8
	VMOVDQU64 Z8, (R11)
	KMOVB K3, AX
	POPCNTL AX, AX
	LEAQ (R11)(AX*8), R11

	ADDQ $64, SI
	SUBQ $8, CX
	JG tables

	LEAQ SPANS+8*const_maxWaiting(R15), AX
	CMPQ R13, AX
	JA giveup
	// Go on with the tables just found, and what they lead to goes into the other
	// queue. R10 tells in which they are.
more:
	LEAQ TABLES1(R15), AX
	LEAQ TABLES0(R15), SI
	CMPQ R10, AX
	JCC second // they are in TABLES1
	MOVQ R10, CX
	SUBQ SI, CX
	MOVQ AX, R10
	JMP found
second:
	MOVQ R10, CX
	SUBQ AX, CX
	MOVQ SI, R10
	MOVQ AX, SI
found:
	SHRQ $3, CX
	JNZ tables

	// Interval nodes: one line each. New ones are done again at once.
	// R10 is the begin of an empty queue of tables.
intervals:
	LEAQ RANGES0(R15), SI
	MOVQ R12, CX
	SUBQ SI, CX
	JZ leaves
	SHRQ $3, CX
	LEAQ RANGES1(R15), R12
	MOVQ batch_lines(DI), R14
	MOVL $0x7fff, AX
	KMOVW AX, K1
interval:
	MOVL 64(SI), DX // eight items on
	SHLQ $6, DX
	PREFETCHT0 (R14)(DX*1)
	MOVQ (SI), AX
	MOVQ AX, BX
	SHRQ $58, BX // key
	MOVQ AX, DX
	SHRQ $const_wordAt, DX
	MOVBLZX DX, DX
	MOVQ BX, R9
	IMULQ batch_words(DI), R9
	ADDQ R9, DX
	MOVQ batch_keys(DI), R9
	VPBROADCASTD (R9)(DX*4), Z1
	MOVL AX, DX
	SHLQ $6, DX
	ADDQ R14, DX
	VMOVDQU32 (DX), Z2
	VPCMPUD $1, Z1, Z2, K1, K2 // bounds below
	KMOVW K2, AX
	POPCNTL AX, AX
	ADDL 60(DX), AX
	MOVQ (R8)(AX*8), AX
	DEAL(AX, BX, DX)
	ADDQ $8, SI
	DECQ CX
	JNZ interval
	// Move the new interval nodes to the first queue.
	LEAQ RANGES1(R15), SI
	LEAQ RANGES0(R15), DX
	MOVQ R12, CX
	SUBQ SI, CX
	LEAQ (DX)(CX*1), R12
move:
	SUBQ $64, CX
	JLT moved
	VMOVDQU64 (SI), Z1
	VMOVDQU64 Z1, (DX)
	ADDQ $64, SI
	ADDQ $64, DX
	JMP move
moved:
	VMOVDQU64 (SI), Z1
	VMOVDQU64 Z1, (DX)
	JMP more

	// Leaves: four rows of each, two cache lines. What has rows left goes into
	// the other queue.
leaves:
	MOVQ batch_rows(DI), R14
	LEAQ LEAVES0(R15), SI
	MOVQ R11, CX
	LEAQ LEAVES1(R15), R11
	SUBQ SI, CX
	JZ spans
leafround:
	SHRQ $3, CX
leaf:
	MOVL 64(SI), DX // eight items on
	SHLQ $5, DX
	PREFETCHT0 (R14)(DX*1)
	MOVQ (SI), AX
	MOVQ AX, BX
	SHRQ $58, BX // key
	MOVQ AX, R10
	SHRQ $const_formAt, R10
	ANDL $0xff, R10 // form and class
	JNZ other
	MOVQ BX, DX
	SHLQ $5, DX
	VBROADCASTI64X4 VECTORS(R15)(DX*1), Z1
compare:
	MOVQ AX, R9
	SHRQ $const_countAt, R9
	ANDL $const_maxRows, R9 // rows left
	MOVL AX, DX
	SHRQ $1, DX
	SHLQ $6, DX
	ADDQ R14, DX // a pair of rows
	LEAQ 64(DX), R12
	CMPL R9, $3
	CMOVQCS DX, R12 // the next pair, if there is one
	VMOVDQU32 (DX), Z2
	VMOVDQU32 (R12), Z5
	VPANDD Z16, Z2, Z3
	VPANDD Z16, Z5, Z6
	VPSUBD Z3, Z1, Z3
	VPSUBD Z6, Z1, Z6
	VPSHUFB Z17, Z2, Z4
	VPSHUFB Z17, Z5, Z7
	VPCMPUD $6, Z4, Z3, K1 // beyond the width
	VPCMPUD $6, Z7, Z6, K2
	KUNPCKWD K1, K2, K1 // a byte for each row
	// The bytes that count: as many as there are rows, and the second only when
	// the offset is odd.
	MOVL AX, R8
	ANDL $1, R8
	SHLL $3, R8
	MOVL R9, R10
	MOVL $4, R12
	CMPL R10, R12
	CMOVLHI R12, R10
	SHLL $3, R10
	MOVL $-1, R12
	BZHIL R10, R12, R12
	SHLXL R8, R12, R12
	NOTL R12
	KMOVD K1, R8
	ORL R12, R8
	// The first byte that is 0.
	LEAL -0x01010101(R8), R10
	ANDNL R10, R8, R10
	ANDL $0x80808080, R10
	TZCNTL R10, R8 // 7, 15, 23, 31, or 32
	SHRL $3, R8
	SHLL $5, R8
	ANDL $96, R8 // the move below loads in any case
	MOVL NONE, R12
	TESTL R10, R10
	CMOVLNE (DX)(R8*1), R12
	MOVQ batch_absent(DI), R10
	SHRXQ BX, R10, R10
	ORL R12, R10
	TESTL $1, R10
	JNZ ask
answer:
	MOVL batch_best(DI)(BX*4), R10
	CMPL R12, R10
	CMOVLCS R12, R10
	MOVL R10, batch_best(DI)(BX*4)
	// Go on when nothing has matched, there are more rows, and they can be better.
	XORL R8, R8
	CMPL 32(DX), R10
	SBBL R8, R8
	CMPL R9, $5
	SBBL R9, R9
	NOTL R9
	ANDL R9, R8
	CMPL R12, NONE
	SBBL R9, R9
	NOTL R9
	ANDL R9, R8
	ANDL $1, R8
	MOVQ $(4-(4<<const_countAt)), R9
	ADDQ R9, AX
	MOVQ AX, (R11)
	LEAQ (R11)(R8*8), R11
next:
	ADDQ $8, SI
	DECQ CX
	JNZ leaf
	// The other queue.
	LEAQ LEAVES1(R15), AX
	LEAQ LEAVES0(R15), SI
	CMPQ R11, AX
	JCC second3
	MOVQ R11, CX
	MOVQ AX, R11
	SUBQ SI, CX
	JNZ leafround
	JMP spans
second3:
	MOVQ R11, CX
	MOVQ SI, R11
	MOVQ AX, SI
	SUBQ SI, CX
	JNZ leafround
	JMP spans

	// An inexact rule, or a key with absent fields. When the rule matches and is
	// inexact, or needs a field that is absent, the key is left to the caller.
ask:
	CMPL R12, NONE
	JEQ answer
	NEEDS(R12, R8, R10, byrank0, all0, have0)
	JEQ answer
	MOVQ batch_slow(DI), R10
	BTSQ BX, R10
	MOVQ R10, batch_slow(DI)
	JMP answer

	// Leaves of another class bring the key into another order. Long rows are
	// compared one by one. Other forms are left to the caller.
other:
	MOVL R10, R8
	SHRQ $2, R10
	SHLQ $6, R10
	ADDQ batch_perms(DI), R10 // the permutation
	ANDL $3, R8
	JEQ short
	CMPL R8, $const_formLong
	JNE left
	MOVQ BX, DX
	IMULQ batch_words(DI), DX
	MOVQ batch_keys(DI), R9
	VMOVDQU32.Z (R9)(DX*4), K7, Z0
	VMOVDQU32 (R10), Z5
	MOVL permutation_used(R10), DX
	KMOVB DX, K6
	VPERMD.Z Z0, Z5, K6, Z1
	MOVL AX, DX
	SHLQ $5, DX
	ADDQ R14, DX // a row
	SHRQ $const_countAt, AX
	ANDL $const_maxRows, AX
	MOVQ AX, ROWS(R15)
	MOVL permutation_blocks(R10), R12
	SHLQ $5, R12 // bytes in a row
longrow:
	MOVL (DX), R8
	CMPL R8, batch_best(DI)(BX*4)
	JCC next
	VMOVDQU32 (DX), Y2
	VPANDD Y16, Y2, Y3
	VPSUBD Y3, Y1, Y3
	VPSHUFB Y17, Y2, Y4
	VPCMPUD $6, Y4, Y3, K1
	KORTESTB K1, K1
	JNZ longnext
	MOVL permutation_more(R10), AX
	SHLQ $6, AX
	ADDQ batch_perms(DI), AX
	LEAQ 32(DX), R8
	LEAQ (DX)(R12*1), R9
longblock:
	CMPQ R8, R9
	JEQ longmatch
	VMOVDQU32 (AX), Z5
	MOVBLZX permutation_used(AX), R10
	KMOVB R10, K6
	VPERMD.Z Z0, Z5, K6, Z6
	VMOVDQU32 (R8), Y2
	VPANDD Y29, Y2, Y3
	VPSUBD Y3, Y6, Y3
	VPSRLQ $32, Y2, Y4
	VPCMPUD $6, Y4, Y3, K1
	ADDQ $64, AX
	ADDQ $32, R8
	KORTESTB K1, K1
	JEQ longblock
	MOVQ (SI), R10 // the permutation again
	SHRQ $const_classAt, R10
	ANDL $(const_maxClasses-1), R10
	SHLQ $6, R10
	ADDQ batch_perms(DI), R10
longnext:
	ADDQ R12, DX
	DECQ ROWS(R15)
	JNZ longrow
	JMP next
longmatch:
	MOVL (DX), R12
	MOVL R12, batch_best(DI)(BX*4)
	MOVQ batch_absent(DI), R10
	SHRXQ BX, R10, R10
	ORL R12, R10
	TESTL $1, R10
	JEQ next
	NEEDS(R12, R8, R10, byrank1, all1, have1)
	JEQ next
left:
	MOVQ batch_slow(DI), R10
	BTSQ BX, R10
	MOVQ R10, batch_slow(DI)
	JMP next

short:
	VBROADCASTI64X4 (R10), Z5
	MOVL permutation_used(R10), DX
	IMULL $0x101, DX
	KMOVW DX, K6
	MOVQ BX, DX
	IMULQ batch_words(DI), DX
	MOVQ batch_keys(DI), R9
	VMOVDQU32.Z (R9)(DX*4), K7, Z0
	VPERMD.Z Z0, Z5, K6, Z1
	JMP compare

	// Spans: the last 64 of those that wait.
spans:
	MOVQ batch_slots(DI), R8
	MOVQ batch_keys(DI), R9
	LEAQ SPANS(R15), AX
	MOVQ R13, CX
	SUBQ AX, CX
	JZ done
	SHRQ $3, CX
	MOVL $64, AX
	CMPQ CX, AX
	CMOVQHI AX, CX
	MOVQ CX, AX
	SHLQ $3, AX
	SUBQ AX, R13
	MOVQ R13, SI
	LEAQ TABLES0(R15), R10
	LEAQ LEAVES0(R15), R11
	LEAQ RANGES0(R15), R12
span:
	MOVQ (SI), AX
	MOVQ AX, BX
	SHRQ $58, BX // key
	MOVL AX, DX
	MOVL -16(R8)(DX*8), R14
	CMPL R14, batch_best(DI)(BX*4)
	SBBQ R14, R14 // -1 when it can be better
	ANDQ -8(R8)(DX*8), R14
	DEAL(R14, BX, DX)
	ADDQ $8, SI
	DECQ CX
	JNZ span
dealt:
	LEAQ TABLES0(R15), SI
	MOVQ R10, CX
	LEAQ TABLES1(R15), R10
	SUBQ SI, CX
	SHRQ $3, CX
	JNZ tables
	JMP intervals

	// Tags become ranks; those beyond the last key are not asked for.
done:
	MOVL NONE, AX
	VPBROADCASTD AX, Z1
	VPTERNLOGD $0xff, Z0, Z0, Z0
	XORL DX, DX
ranks:
	VMOVDQU32 batch_best(DI)(DX*1), Z2
	VPCMPEQD Z1, Z2, K1
	VPSRLD $1, Z2, Z2
	VMOVDQA32 Z0, K1, Z2
	VMOVDQU32 Z2, batch_best(DI)(DX*1)
	ADDQ $64, DX
	CMPQ DX, $256
	JNE ranks
	MOVB $1, ret+8(FP)
	VZEROUPPER
	RET
giveup:
	MOVB $0, ret+8(FP)
	VZEROUPPER
	RET
