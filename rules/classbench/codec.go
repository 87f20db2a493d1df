package classbench

// Flags in compiled files.

import (
	"encoding/binary"
	"errors"
)

// Codec is the saved.Codec of Flags: value and mask, 16 bits each.
type Codec struct{}

// Name returns "classbench-flags".
func (Codec) Name() string { return "classbench-flags" }

// AppendTo appends the flags.
func (Codec) AppendTo(dst []byte, f Flags) ([]byte, error) {
	return binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(dst, f.Value), f.Mask), nil
}

// Decode returns the flags of four bytes.
func (Codec) Decode(data []byte) (Flags, error) {
	if len(data) != 4 {
		return Flags{}, errors.New("flags take four bytes")
	}
	return Flags{binary.LittleEndian.Uint16(data), binary.LittleEndian.Uint16(data[2:])}, nil
}
