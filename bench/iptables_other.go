//go:build !linux

package main

import (
	"context"
	"errors"
	"time"
)

var errOnlyLinux = errors.New("only on Linux")

func inNamespace(func() error) error { return errOnlyLinux }

func runTool(context.Context, time.Duration, []string, string) (time.Duration, error) {
	return 0, errOnlyLinux
}

type sender struct{}

func newSender() (*sender, error) { return nil, errOnlyLinux }

func (*sender) close() {}

func (*sender) check() error { return errOnlyLinux }

func (*sender) times(context.Context, effort) ([]float64, int, error) { return nil, 0, errOnlyLinux }
