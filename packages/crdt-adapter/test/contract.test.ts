// The contract of the `Crdt` port.
import { test } from 'vitest'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { crdtSuite } from '@rejoin/testkit'

crdtSuite({ test, crdt: yjsCrdt })
