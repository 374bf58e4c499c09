/**
 * A headless Chromium with a profile of its own, started here so that it can be killed here, and driven over its debugging
 * port. It makes no connection beyond loopback.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { chromium, type Browser, type BrowserContext } from 'playwright-core'

const places = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The browser's program, or null where there is none: `REJOIN_CHROMIUM`, else Chromium or Chrome on the path. */
export function chromiumHere(): string | null {
  const { REJOIN_CHROMIUM: named, PATH = '' } = process.env
  if (named !== undefined && named !== '') return named
  const programs = PATH.split(path.delimiter).flatMap((folder) =>
    places.map((name) => path.join(folder, name)),
  )
  return programs.find((program) => existsSync(program)) ?? null
}

const flags = [
  '--headless=new',
  '--remote-debugging-port=0',
  // Nothing is said over it: but it breaks when the tests are ended, however they are, and Chromium goes then.
  '--remote-debugging-pipe',
  // In a container there is nobody but root.
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-breakpad',
  '--disable-extensions',
  '--lang=en-US',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
]

export interface RunningChromium {
  readonly context: BrowserContext
  /** SIGKILL to all of its processes, wherever they are. */
  readonly kill: () => Promise<void>
  /** In order. */
  close(): Promise<void>
}

export async function startChromium(profile: string): Promise<RunningChromium> {
  const program = chromiumHere()
  if (program === null) throw new Error('there is no Chromium here')
  // A process group of its own.
  const child = spawn(program, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, LANG: 'en_US.UTF-8' },
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    // It was never there.
    child.once('error', () => resolve())
  })
  const kill = async (): Promise<void> => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It is gone.
    }
    await exited
  }
  let browser: Browser
  try {
    browser = await chromium.connectOverCDP(await debuggingUrl(child))
  } catch (error) {
    await kill()
    throw error
  }
  const [context] = browser.contexts()
  if (context === undefined) throw new Error('Chromium has no profile')
  return {
    context,
    kill,
    close: async () => {
      const session = await browser.newBrowserCDPSession()
      await session.send('Browser.close').catch(() => {})
      await exited
      await kill()
    },
  }
}

/** Chromium says it on standard error; what it says besides is kept for the error of one that does not start. */
function debuggingUrl(child: ChildProcess): Promise<string> {
  const { stderr } = child
  if (stderr === null) throw new Error('Chromium is not heard')
  const said: string[] = []
  return new Promise((resolve, reject) => {
    createInterface({ input: stderr }).on('line', (line) => {
      const url = /^DevTools listening on (ws:.*)$/.exec(line)?.[1]
      if (url === undefined) said.push(line)
      else resolve(url)
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`Chromium does not start: ${said.join('\n')}`)))
  })
}
