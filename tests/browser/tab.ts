/** A tab with the page of the tests: its functions are called from here, and nothing that goes wrong in it is overlooked. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isErrorCode, SyncError } from '@rejoin/core'
import type { BrowserContext, Page as BrowserPage } from 'playwright-core'
import type { Page } from './page/page.ts'

type Answer = { readonly value: unknown } | { readonly code: string; readonly message: string }

const waitMsMax = 15_000

export class Tab {
  readonly page: BrowserPage
  /** Errors that nobody caught, rejections that nobody handled. */
  readonly uncaught: string[] = []
  /** Lines of its console. */
  readonly said: string[] = []

  private constructor(page: BrowserPage) {
    this.page = page
    page.on('pageerror', (error) => this.uncaught.push(String(error)))
    page.on('console', (message) => this.said.push(message.text()))
  }

  static async open(context: BrowserContext, origin: string, path = '/'): Promise<Tab> {
    const tab = new Tab(await context.newPage())
    await tab.page.goto(`${origin}${path}`)
    return tab
  }

  /** @throws SyncError with the code that the page was told. */
  async call<K extends keyof Page>(
    name: K,
    ...args: Parameters<Page[K]>
  ): Promise<Awaited<ReturnType<Page[K]>>> {
    const answer: Answer = await this.page.evaluate(
      ([called, given]) =>
        (globalThis as unknown as { call(name: string, args: readonly unknown[]): Promise<Answer> }).call(
          called,
          given,
        ),
      [name, args] as const,
    )
    if ('value' in answer) return answer.value as Awaited<ReturnType<Page[K]>>
    const { code, message } = answer
    throw isErrorCode(code) ? new SyncError(code, message) : new Error(`${code}: ${message}`)
  }

  /** Asks again until what the page answers is as it should be. */
  async until<K extends keyof Page>(
    name: K,
    holds: (answer: Awaited<ReturnType<Page[K]>>) => boolean,
  ): Promise<Awaited<ReturnType<Page[K]>>> {
    for (let waitedMs = 0; ; waitedMs += 20) {
      const answer = await this.call(name, ...([] as unknown as Parameters<Page[K]>))
      if (holds(answer)) return answer
      if (waitedMs >= waitMsMax)
        throw new Error(`the page's ${name} never came to be so; it is ${JSON.stringify(answer)}`)
      await sleep(20)
    }
  }

  /** Deletes an IndexedDB database of its origin, as another script would. */
  async deleteDatabase(name: string): Promise<'deleted' | 'blocked'> {
    return await this.page.evaluate(
      (database) =>
        new Promise<'deleted' | 'blocked'>((resolve, reject) => {
          const { indexedDB } = globalThis as unknown as { indexedDB: Databases }
          const request = indexedDB.deleteDatabase(database)
          request.onsuccess = () => resolve('deleted')
          request.onblocked = () => resolve('blocked')
          request.onerror = () => reject(new Error('not deleted'))
        }),
      name,
    )
  }

  async close(): Promise<void> {
    await this.page.close()
  }
}

/** Of the platform, what is used here. */
interface Databases {
  deleteDatabase(name: string): {
    onsuccess: (() => void) | null
    onblocked: (() => void) | null
    onerror: (() => void) | null
  }
}
