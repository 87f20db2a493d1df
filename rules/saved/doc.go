// Package saved is the format of files of rules that have been compiled: sections
// of flat arrays, each with a checksum, that can be used where they lie. Package
// hipac writes and loads such files (Classifier.Save, hipac.Open); this package
// has what needs no compiler: the container, the schema, the rules and their
// values.
//
// # The file
//
// All numbers are little-endian, whatever machine wrote the file; a machine of
// another byte order loads a copy with the bytes turned round. Offsets are in bytes
// from the beginning of the file.
//
//	header     64 bytes
//	             0  magic: 89 48 49 50 41 43 0d 0a
//	             8  version of the format, 32 bits
//	            12  kind of the file: 4 letters
//	            16  size of the file, 64 bits
//	            24  number of sections, 32 bits
//	            28  checksum of the directory
//	            32  zero
//	            60  checksum of the header before it
//	directory  32 bytes for each section, in the order of the sections
//	             0  instance, 32 bits: which of several trees it is of
//	             4  name: 4 letters
//	             8  offset, 64 bits
//	            16  length, 64 bits
//	            24  checksum of the content
//	            28  zero
//	sections   each at the next multiple of 64, zeros between them
//
// The first byte is no text, and a file that was copied as text has lost the end
// of line in the magic. Sections begin at cache lines, so that the arrays of a
// mapped file are aligned as those in memory are. There is one way to write given
// sections: the same content gives the same bytes.
//
// Checksums are CRC-32C. They find every damage to at most 32 bits in a row and
// are at hand in processors: a file of 10 MB takes less than a millisecond. They
// are no signature: who can write the file decides what the classifier answers,
// as who can write a file of rules does. What is in a file cannot make a reader
// crash: everything is checked when it is loaded.
//
// A version of this module reads the version of the format that it writes, and
// no other: rules are compiled again from their source when the version changes.
//
// # Rules
//
// Rules are conditions in 32-bit words, fields of 128 bits in four of them, as in
// keys. They are checked when a file is loaded, and made into a [rules.List] when
// somebody asks. Values go through a [Codec]; values with the same bytes are
// stored once.
package saved
