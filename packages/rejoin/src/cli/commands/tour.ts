/** `rejoin tour`: the whole of Rejoin in one run, on loopback and in a temporary folder. */
import type { Command } from 'commander'
import { runTour, type TourStep } from '../../tour/story.ts'
import { listenForInterrupt } from '../interrupt.ts'
import { openOutput, type Streams } from '../output.ts'
import { Refusal } from '../refusal.ts'
import { reportSentence } from './sync.ts'

export function addTour(program: Command, streams: Streams): void {
  program
    .command('tour')
    .option('--json', 'print JSON, one document per step')
    .description(
      'show it all: a hub, replicas, offline edits that rejoin, a conflict, undo, a rebuild, and each way to catch up: live, tail, snapshot, rebuild, reset',
    )
    .addHelpText('after', '\nExample:\n  rejoin tour')
    .action(async (options: { json?: boolean }) => {
      const output = openOutput(streams, options.json === true)
      const interrupt = listenForInterrupt(streams, ['SIGHUP'])
      try {
        let number = 0
        const result = await runTour(
          (step) => output.result(step, sentences(++number, step)),
          interrupt.signal,
        )
        if (options.json === true) output.result(result, '')
        if (!result.agree) throw new Refusal('the replicas disagree')
        output.note('\nThe tour is over: nothing is left running, its folder is gone.')
      } finally {
        interrupt.release()
      }
    })
}

function sentences(number: number, { step, says, exchanges }: TourStep): string {
  return [
    `${number === 1 ? '' : '\n'}${number}. ${step}`,
    ...says.map((line) => `   ${line}`),
    ...exchanges.map(({ replica, report }) => `   ${replica}: ${reportSentence(report)}`),
  ].join('\n')
}
