package saved

// Codecs: how the values of rules become bytes and back.

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hipac-go/classifier/rules"
)

// Codec turns values into bytes and back. It must be safe for concurrent use. The
// same value must always give the same bytes, and Decode must take what AppendTo
// gives, and anything else without a panic.
type Codec[T any] interface {
	// Name names the encoding, with its version if it has several: "string". A
	// file whose values have another one is refused.
	Name() string
	// AppendTo appends the bytes of a value to dst.
	AppendTo(dst []byte, value T) ([]byte, error)
	// Decode returns the value of the bytes, which it does not keep. Rules whose
	// values have the same bytes share what it returns.
	Decode(data []byte) (T, error)
}

// Integer is the types of Int.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Ready codecs.
type (
	// String is for strings: their bytes.
	String[T ~string] struct{}
	// Int is for integers and what is made of them: variable-length, so that a
	// file is the same for all widths. Decode refuses numbers that T does not hold.
	Int[T Integer] struct{}
	// Verdict is for verdicts, by name: numbers may change from version to version.
	Verdict struct{}
	// None is for rules without values.
	None struct{}
)

// Name returns "string".
func (String[T]) Name() string { return "string" }

// AppendTo appends the string.
func (String[T]) AppendTo(dst []byte, v T) ([]byte, error) { return append(dst, v...), nil }

// Decode returns a string of the bytes.
func (String[T]) Decode(data []byte) (T, error) { return T(data), nil }

// Name returns "int", or "uint" when T has no sign.
func (Int[T]) Name() string {
	if unsigned[T]() {
		return "uint"
	}
	return "int"
}

func unsigned[T Integer]() bool { return ^T(0) > 0 }

// AppendTo appends the number.
func (Int[T]) AppendTo(dst []byte, v T) ([]byte, error) {
	if unsigned[T]() {
		return binary.AppendUvarint(dst, uint64(v)), nil
	}
	return binary.AppendVarint(dst, int64(v)), nil
}

// Decode returns the number.
func (Int[T]) Decode(data []byte) (T, error) {
	var v T
	var n int
	var fits bool
	if unsigned[T]() {
		var x uint64
		x, n = binary.Uvarint(data)
		v = T(x)
		fits = uint64(v) == x
	} else {
		var x int64
		x, n = binary.Varint(data)
		v = T(x)
		fits = int64(v) == x
	}
	if n <= 0 || n != len(data) {
		return 0, errors.New("not a number")
	}
	if !fits {
		return 0, fmt.Errorf("the number does not fit %T", v)
	}
	return v, nil
}

// Name returns "verdict".
func (Verdict) Name() string { return "verdict" }

// AppendTo appends the verdict's name.
func (Verdict) AppendTo(dst []byte, v rules.Verdict) ([]byte, error) {
	if v > rules.Stolen {
		return dst, fmt.Errorf("%v is no verdict", v)
	}
	return append(dst, v.String()...), nil
}

// Decode returns the verdict of a name.
func (Verdict) Decode(data []byte) (rules.Verdict, error) {
	for v := rules.NoVerdict; v <= rules.Stolen; v++ {
		if v.String() == string(data) {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%q is no verdict", data[:min(len(data), 20)])
}

// Name returns "none".
func (None) Name() string { return "none" }

// AppendTo appends nothing.
func (None) AppendTo(dst []byte, _ struct{}) ([]byte, error) { return dst, nil }

// Decode takes nothing.
func (None) Decode(data []byte) (struct{}, error) {
	if len(data) > 0 {
		return struct{}{}, errors.New("bytes of nothing")
	}
	return struct{}{}, nil
}
