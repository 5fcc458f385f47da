module sessionup.example/benches

go 1.24

require (
	github.com/davseby/sessionup-boltstore v1.1.0
	github.com/swithek/sessionup v1.4.0
	go.etcd.io/bbolt v1.3.5
)

require (
	github.com/asdine/storm/v3 v3.2.1 // indirect
	github.com/blang/semver v3.5.1+incompatible // indirect
	github.com/dchest/uniuri v0.0.0-20160212164326-8902c56451e9 // indirect
	golang.org/x/sys v0.0.0-20200202164722-d101bd2416d5 // indirect
	xojoc.pw/useragent v0.0.0-20170215185434-52903803fc66 // indirect
)
