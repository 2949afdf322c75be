import { type Announcement, type AnnounceOutcomeInput, announcementOf, plain } from './announcement';

/** One outcome as SNS takes it. */
export interface OutcomeMessage {
  readonly subject: string;
  /** For `MessageStructure: 'json'`: protocol → body. */
  readonly message: string;
}

const SUBJECT_CHARACTERS = 99; // SNS: less than 100
const SMS_CHARACTERS = 140; // one SMS, whatever alphabet
const MAIL_COLUMNS = 96;
// Slack's limits, in characters after escaping
const SLACK_HEADER = 150;
const SLACK_TEXT = 3_000;
const SLACK_FIELD = 2_000;
const SLACK_FIELDS = 10;

/**
 * Every body of an outcome. A program (SQS, Lambda, HTTP) gets the JSON document, with a Block Kit message under `slack` that it can
 * post as it is; a person gets mail or an SMS; an HTTPS subscriber the custom notification of Amazon Q Developer in chat applications,
 * which posts it to Slack, and reads no other form.
 */
export function outcomeMessage(input: AnnounceOutcomeInput): OutcomeMessage {
  const said = announcementOf(input);
  const text = mailText(said);
  const document = {
    outcomeId: said.outcomeId,
    ...input,
    ...(said.why === undefined ? {} : { reason: said.why }),
    text,
    slack: slackMessage(said),
  };
  return {
    subject: ascii(`Meridian: ${said.title}`, SUBJECT_CHARACTERS),
    message: JSON.stringify({
      default: JSON.stringify(document),
      email: text,
      sms: smsText(said),
      https: JSON.stringify(chatNotification(said, input)),
    }),
  };
}

/** Plain text in lines that fit a mail; commands stay whole, so that they can be pasted. */
export function mailText({ sentence, why, facts, next, outcomeId }: Announcement): string {
  const width = Math.max(...facts.map((fact) => fact.name.length));
  return [
    ...wrap(sentence),
    ...(why === undefined ? [] : ['', ...wrap(`Why: ${why}`)]),
    '',
    ...facts.map((fact) => `${fact.name.padEnd(width)}  ${fact.value}`),
    ...(next.length === 0 ? [] : ['', 'Next:', ...next.flatMap((step) => [`  ${step.what}:`, `    ${step.command}`])]),
    '',
    outcomeId,
  ].join('\n');
}

/** The state and, where there is room, the command that comes next. */
export function smsText({ title, next }: Announcement): string {
  const short = ascii(`Meridian: ${title}`, SMS_CHARACTERS);
  const long = `${short}. ${ascii(next[0]?.command ?? '', SMS_CHARACTERS)}`;
  return next.length > 0 && long.length <= SMS_CHARACTERS ? long : short;
}

/** A Block Kit message, for an incoming webhook or `chat.postMessage`. */
export function slackMessage({ title, sentence, why, facts, next, outcomeId }: Announcement) {
  const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } });
  return {
    text: escaped(title, SLACK_TEXT),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: plain(title, SLACK_HEADER) } },
      section(escaped(sentence, SLACK_TEXT)),
      ...(why === undefined ? [] : [section(`*Why:* ${escaped(why, SLACK_TEXT - 10)}`)]),
      {
        type: 'section',
        fields: facts.slice(0, SLACK_FIELDS).map((fact) => ({ type: 'mrkdwn', text: `*${escaped(fact.name, 200)}*\n${escaped(fact.value, SLACK_FIELD - 210)}` })),
      },
      ...next.map((step) => section(`${escaped(step.what, 200)}:\n\`\`\`${escaped(step.command, SLACK_TEXT - 300)}\`\`\``)),
      { type: 'context', elements: [{ type: 'mrkdwn', text: escaped(outcomeId, SLACK_FIELD) }] },
    ],
  };
}

/** One thread a cycle; the values of `additionalContext` have to be text. */
function chatNotification({ title, sentence, why, facts, next, outcomeId, outcome, pipeline }: Announcement, { cycle }: AnnounceOutcomeInput) {
  const thread = `${pipeline}-${cycle.intervalEnd}`;
  return {
    version: '1.0',
    source: 'custom',
    id: outcomeId,
    content: {
      textType: 'client-markdown',
      title: escaped(title, SLACK_HEADER),
      description: [sentence, ...(why === undefined ? [] : [`Why: ${why}`]), ...facts.map((fact) => `${fact.name}: ${fact.value}`)].map((line) => escaped(line, SLACK_TEXT)).join('\n'),
      nextSteps: next.map((step) => `${escaped(step.what, 200)}: \`${escaped(step.command, SLACK_TEXT - 300)}\``),
    },
    metadata: { threadId: thread, summary: escaped(title, SLACK_HEADER), eventType: outcome, relatedResources: [thread], additionalContext: { outcomeId, outcome, pipeline } },
  };
}

/** Slack reads `&`, `<` and `>` as its own; what is cut is cut before an escape, not within one. */
function escaped(text: string, longest: number): string {
  let length = 0;
  let out = '';
  for (const character of plain(text, longest)) {
    const next = character === '&' ? '&amp;' : character === '<' ? '&lt;' : character === '>' ? '&gt;' : character;
    length += next.length;
    if (length > longest) break;
    out += next;
  }
  return out;
}

/** Printable ASCII of at most so many characters. */
function ascii(text: string, longest: number): string {
  const printable = plain(text, text.length + 1).replace(/[^\x20-\x7e]+/g, '?');
  return printable.length <= longest ? printable : `${printable.slice(0, longest - 3)}...`;
}

/** Words in lines of at most MAIL_COLUMNS; a longer word, such as a URI, has a line of its own. */
function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > MAIL_COLUMNS) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
