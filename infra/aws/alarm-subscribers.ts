import { CfnSubscription } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { AlarmSubscribersProps } from './alarm-subscribers-props';
import { OptionalParameter } from './optional-parameter';

const SUBSCRIBERS = [
  {
    name: 'AlarmEmail',
    protocol: 'email',
    description: 'Address that is told of outcomes and alarms, once its owner has confirmed by the link that SNS sends; empty: nobody',
    pattern: '^[^@ ]+@[^@ ]+\\.[^@ ]+$',
    constraint: 'must be an e-mail address',
  },
  {
    name: 'AlarmSms',
    protocol: 'sms',
    description: 'Phone number that gets outcomes and alarms in short, each paid by the message; empty: nobody',
    pattern: '^\\+[1-9][0-9]{6,14}$',
    constraint: 'must be a phone number in the form +491701234567',
  },
  {
    name: 'AlarmWebhook',
    protocol: 'https',
    description: 'HTTPS address that gets outcomes and alarms and confirms its subscription by itself, as no Slack webhook does; empty: none',
    pattern: '^https://[^ ]+$',
    constraint: 'must be an https:// address',
  },
] as const;

/** Who is told of outcomes and alarms, each by a parameter of its own (S2.18, S4.19); more of each kind subscribe to the topic by themselves. */
export class AlarmSubscribers extends Construct {
  constructor(scope: Construct, id: string, { topicArn }: AlarmSubscribersProps) {
    super(scope, id);
    for (const { name, protocol, ...texts } of SUBSCRIBERS) {
      const endpoint = new OptionalParameter(this, name, { name, ...texts });
      const subscription = new CfnSubscription(this, protocol, { topicArn, protocol, endpoint: endpoint.value });
      subscription.cfnOptions.condition = endpoint.isSet;
    }
  }
}
