module zcprof.test/serve

go 1.21
