/** To what people subscribe. */
export interface AlarmSubscribersProps {
  /** Of the topic that has outcomes and alarms. */
  readonly topicArn: string;
}
