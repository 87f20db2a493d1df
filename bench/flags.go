package main

// Numbers of all commands: 10k and 1M are some.

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// flagTypes are the mappers for all flags that are whole numbers, and lists of
// those.
var flagTypes = []kong.Option{
	kong.KindMapper(reflect.Int, kong.MapperFunc(decodeNumber)),
	kong.KindMapper(reflect.Int64, kong.MapperFunc(decodeNumber)),
}

func decodeNumber(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("number", &text); err != nil {
		return err
	}
	n, err := parseNumber(text)
	if err != nil {
		return err
	}
	if target.OverflowInt(n) {
		return fmt.Errorf("%q is too large a number", text)
	}
	target.SetInt(n)
	return nil
}

// parseNumber reads a whole number: 1000, 1_000, 10k, 2.5M, 1G, with powers of
// 1000; -5 is one, too, which commands refuse with what they would take.
func parseNumber(s string) (int64, error) {
	number, factor := s, int64(1)
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			factor = 1e3
		case 'M':
			factor = 1e6
		case 'G':
			factor = 1e9
		}
	}
	if factor > 1 {
		number = s[:len(s)-1]
	}
	bad := fmt.Errorf("%q is no whole number; 1000, 10k and 1M are", s)
	digits := strings.TrimPrefix(number, "-")
	whole, part, point := strings.Cut(digits, ".")
	if strings.Trim(whole, "0123456789_") != "" || strings.Trim(part, "0123456789") != "" || point && part == "" ||
		whole == "" || whole[0] == '_' || whole[len(whole)-1] == '_' {
		return 0, bad
	}
	if len(number) > 40 {
		return 0, fmt.Errorf("%q is too large a number", s)
	}
	n, ok := new(big.Rat).SetString(strings.ReplaceAll(number, "_", ""))
	if !ok {
		return 0, bad
	}
	if n.Mul(n, new(big.Rat).SetInt64(factor)); !n.IsInt() {
		return 0, bad
	}
	if !n.Num().IsInt64() {
		return 0, fmt.Errorf("%q is too large a number", s)
	}
	return n.Num().Int64(), nil
}
