/** What the browser's tests begin with: whether there is a browser at all, said loudly where there is none. */
import { onTestFinished } from 'vitest'
import { chromiumHere } from './chromium.ts'

/** The browser's program, or null: then the suites are skipped. */
export const program = chromiumHere()

if (program === null)
  console.warn(
    'NOT TESTED IN A BROWSER: there is no Chromium here. Install it (apt-get install chromium), or name it in REJOIN_CHROMIUM',
  )

/** Closes it when the test is over, however it ends. */
export function closing<T extends { close(): Promise<void> }>(opened: T): T {
  onTestFinished(() => opened.close())
  return opened
}
