import { SubscribeCommand, type SNSClient } from '@aws-sdk/client-sns';

/** One message of the outcome topic, as a subscriber got it. */
export interface OutcomeMessage {
  readonly outcomeId: string;
  readonly outcome: string;
  readonly pipeline: string;
  /** RFC 3339. */
  readonly intervalEnd: string;
  readonly generation: number;
  /** For a person, and for Slack. */
  readonly text: string;
  readonly slack: { readonly blocks: readonly unknown[] };
}

const BATCH = 10; // ReceiveMessage's limit
/** The local AWS tells services apart by the credential's scope, and checks no signature. */
const AUTHORIZATION = 'AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0';

/**
 * A subscriber of the outcome topic that forgets nothing: a queue, and all that was ever taken from it. One for a harness, since
 * who drains a queue takes the messages of every pipeline. Speaks to the local AWS only.
 */
export class OutcomeQueue {
  private readonly received: OutcomeMessage[] = [];

  private constructor(
    private readonly endpoint: string,
    private readonly queueUrl: string,
  ) {}

  /** @param name - of the queue; made unless it is there */
  static async open(endpoint: string, sns: SNSClient, topicArn: string, name: string): Promise<OutcomeQueue> {
    const { QueueUrl } = await sqs<{ readonly QueueUrl: string }>(endpoint, 'CreateQueue', { QueueName: name });
    const { Attributes } = await sqs<{ readonly Attributes: { readonly QueueArn: string } }>(endpoint, 'GetQueueAttributes', {
      QueueUrl,
      AttributeNames: ['QueueArn'],
    });
    await sns.send(new SubscribeCommand({ TopicArn: topicArn, Protocol: 'sqs', Endpoint: Attributes.QueueArn, ReturnSubscriptionArn: true }));
    return new OutcomeQueue(endpoint, QueueUrl);
  }

  /** Every message since the queue was opened, in the order of arrival. */
  async drain(): Promise<readonly OutcomeMessage[]> {
    for (;;) {
      const { Messages = [] } = await sqs<{ readonly Messages?: readonly { readonly Body: string; readonly ReceiptHandle: string }[] }>(
        this.endpoint,
        'ReceiveMessage',
        { QueueUrl: this.queueUrl, MaxNumberOfMessages: BATCH, WaitTimeSeconds: 0 },
      );
      if (Messages.length === 0) return [...this.received];
      for (const { Body, ReceiptHandle } of Messages) {
        const message = parse(Body);
        if (message !== undefined) this.received.push(message);
        await sqs(this.endpoint, 'DeleteMessage', { QueueUrl: this.queueUrl, ReceiptHandle });
      }
    }
  }
}

interface Told {
  readonly outcomeId?: string;
  readonly outcome: string;
  readonly text: string;
  readonly slack: OutcomeMessage['slack'];
  readonly cycle: { readonly pipeline: string; readonly intervalEnd: string; readonly generation: number };
}

/** SNS wraps what was published. Alarms come by the same topic: they tell no outcome. */
function parse(body: string): OutcomeMessage | undefined {
  const { Message } = JSON.parse(body) as { readonly Message: string };
  const { outcomeId, outcome, text, slack, cycle } = JSON.parse(Message) as Told;
  if (outcomeId === undefined) return undefined;
  return { outcomeId, outcome, text, slack, pipeline: cycle.pipeline, intervalEnd: cycle.intervalEnd, generation: cycle.generation };
}

/** The JSON protocol of SQS, so that the project needs no client for the sake of its harness. */
async function sqs<T>(endpoint: string, operation: string, input: Readonly<Record<string, unknown>>): Promise<T> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${operation}`, authorization: AUTHORIZATION },
    body: JSON.stringify(input),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`SQS ${operation} at ${endpoint} answered ${response.status}: ${text.slice(0, 300)}`);
  return (text === '' ? {} : JSON.parse(text)) as T;
}
