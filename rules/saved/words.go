package saved

// Arrays of words and their bytes: the same memory where the machine's byte
// order is that of files, else copies.

import (
	"encoding/binary"
	"unsafe"
)

// Word is what arrays in files are of.
type Word interface{ ~uint16 | ~uint32 | ~uint64 }

// native says that the machine's byte order is that of files.
var native = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Bytes returns the words as they stand in a file. It may be their own memory.
func Bytes[W Word](words []W) []byte {
	size := int(unsafe.Sizeof(W(0)))
	if len(words) == 0 {
		return nil
	}
	if native {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size*len(words))
	}
	return turned(words)
}

// turned is Bytes for machines of another byte order.
func turned[W Word](words []W) []byte {
	size := int(unsafe.Sizeof(W(0)))
	out := make([]byte, size*len(words))
	for i, w := range words {
		for j := range size {
			out[i*size+j] = byte(uint64(w) >> (8 * j))
		}
	}
	return out
}

// wordsOf returns the words that bytes of a file are, of which there are a whole
// number. They may be the same memory.
func wordsOf[W Word](data []byte) []W {
	size := int(unsafe.Sizeof(W(0)))
	if len(data) < size {
		return nil
	}
	at := unsafe.Pointer(unsafe.SliceData(data))
	if native && uintptr(at)%uintptr(size) == 0 {
		return unsafe.Slice((*W)(at), len(data)/size)
	}
	return turnedBack[W](data)
}

// turnedBack is wordsOf for machines of another byte order.
func turnedBack[W Word](data []byte) []W {
	size := int(unsafe.Sizeof(W(0)))
	out := make([]W, len(data)/size)
	for i := range out {
		var w uint64
		for j := range size {
			w |= uint64(data[i*size+j]) << (8 * j)
		}
		out[i] = W(w)
	}
	return out
}

// aligned returns the data at an address that sections can be used at; a copy
// where it is elsewhere.
func aligned(data []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%Align == 0 {
		return data
	}
	out := alignedBuffer(len(data))
	copy(out, data)
	return out
}

// alignedBuffer returns a buffer at such an address.
func alignedBuffer(n int) []byte {
	buf := make([]byte, n+Align-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % Align)
	return buf[skip : skip+n : skip+n]
}
