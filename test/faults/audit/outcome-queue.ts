import { SubscribeCommand, type SNSClient } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';

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

/**
 * A subscriber of the outcome topic that forgets nothing: a queue, and all that was ever taken from it. One for a harness, since
 * who drains a queue takes the messages of every pipeline.
 */
export class OutcomeQueue {
  private readonly received: OutcomeMessage[] = [];

  private constructor(
    private readonly sqs: SQSClient,
    private readonly queueUrl: string,
  ) {}

  /** @param sqs - closed with the queue. @param name - of the queue; made unless it is there */
  static async open(sqs: SQSClient, sns: SNSClient, topicArn: string, name: string): Promise<OutcomeQueue> {
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    const { QueueArn: Endpoint = '' } = Attributes ?? {};
    const Statement = [
      { Effect: 'Allow', Principal: { Service: 'sns.amazonaws.com' }, Action: 'sqs:SendMessage', Resource: Endpoint, Condition: { ArnEquals: { 'aws:SourceArn': topicArn } } },
    ];
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: JSON.stringify({ Version: '2012-10-17', Statement }) } }));
    await sns.send(new SubscribeCommand({ TopicArn: topicArn, Protocol: 'sqs', Endpoint, ReturnSubscriptionArn: true }));
    return new OutcomeQueue(sqs, QueueUrl);
  }

  close(): void {
    this.sqs.destroy();
  }

  /** Every message since the queue was opened, in the order of arrival. */
  async drain(): Promise<readonly OutcomeMessage[]> {
    for (;;) {
      const { Messages = [] } = await this.sqs.send(
        new ReceiveMessageCommand({ QueueUrl: this.queueUrl, MaxNumberOfMessages: BATCH, WaitTimeSeconds: 0 }),
      );
      if (Messages.length === 0) return [...this.received];
      for (const { Body = '', ReceiptHandle } of Messages) {
        const message = parse(Body);
        if (message !== undefined) this.received.push(message);
        await this.sqs.send(new DeleteMessageCommand({ QueueUrl: this.queueUrl, ReceiptHandle }));
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
