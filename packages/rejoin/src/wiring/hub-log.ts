/** What hub and server tell, as lines of pino. */
import type { Logger } from 'pino'
import type { HubLogEvent } from '@rejoin/hub'
import type { ServerEvent } from '@rejoin/transport/server'

export function logTo(logger: Logger): (event: HubLogEvent | ServerEvent) => void {
  return (event) => {
    if ('level' in event) {
      const { level, message, namespace, error } = event
      logger[level](
        { ...(namespace === null ? {} : { namespace }), ...(error === undefined ? {} : { err: error }) },
        message,
      )
    } else if (event.event === 'fault') logger.error({ err: event.error }, 'the server met a fault')
    else if (event.event === 'refused') logger.warn({ code: event.code }, event.message)
    else logger.debug(event, event.event)
  }
}
