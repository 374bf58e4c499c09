/** `rejoin digest`: a hash of the readable content, equal on replicas that agree. */
import type { Command } from 'commander'
import { digestOf } from '@rejoin/crdt-adapter'
import { usingReplica, withDomain, withReplica, type ReplicaOptions } from '../options.ts'
import { openOutput, type Streams } from '../output.ts'

export function addDigest(program: Command, streams: Streams): void {
  withDomain(withReplica(program.command('digest'), 'reads'))
    .description("a hash of the namespace's content, equal on replicas that agree")
    .addHelpText('after', '\nExample:\n  rejoin digest --data ./laptop --namespace support')
    .action(async (options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      await usingReplica(options, { use: 'reads', output }, async (replica) => {
        const digest = digestOf(replica.registers)
        output.result({ namespace: options.namespace, digest, pending: replica.status.pending }, digest)
      })
    })
}
