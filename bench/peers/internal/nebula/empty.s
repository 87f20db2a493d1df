// An empty assembly file lets nebula.go declare a function without a body.
