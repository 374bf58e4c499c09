/** `rejoin resolve`: which intents a sentence is for. */
import type { Command } from 'commander'
import { indexOf, rankIntents, rankingDefaults } from '@rejoin/intents'
import { usingIntents, withReplica, type ReplicaOptions } from '../options.ts'
import { openOutput, type Streams } from '../output.ts'

export function addResolve(program: Command, streams: Streams): void {
  withReplica(program.command('resolve'), 'reads')
    .argument('<query>', 'a sentence')
    .description('rank the intents of a namespace for a sentence')
    .addHelpText(
      'after',
      '\nExample:\n  rejoin resolve --data ./laptop --namespace support "my chain came off"\n\nShown are the score, what part of the best score it is, its band, and the intent, the best first.',
    )
    .action(async (query: string, options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      const ranking = await usingIntents(options, { use: 'reads', output }, async ({ tables }) =>
        rankIntents(query, indexOf(tables), { defaults: rankingDefaults(tables) }),
      )
      const lines = ranking.intents.map(
        ({ id, score, confidence, band }) =>
          `${score.toFixed(5).padStart(9)}  ${confidence.toFixed(2)}  ${band.padEnd(6)}  ${id}`,
      )
      const heading = '    score  part  band    intent'
      const sentences = lines.length === 0 ? 'no intent matches' : [heading, ...lines].join('\n')
      output.result({ query, ...ranking }, sentences)
    })
}
