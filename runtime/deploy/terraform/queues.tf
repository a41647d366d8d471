# CPE sets aside by itself what it cannot read. SQS does so only after many attempts, because a job
# that waits for its client's quota is received again and again.
resource "aws_sqs_queue" "input" {
  for_each                   = var.clients
  name                       = "${var.prefix}${each.key}-in"
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = 200
  })
}

resource "aws_sqs_queue" "output" {
  for_each                   = var.clients
  name                       = "${var.prefix}${each.key}-out"
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20
  message_retention_seconds  = 1209600
  sqs_managed_sse_enabled    = true
}

resource "aws_sqs_queue" "dead" {
  for_each                  = var.clients
  name                      = "${var.prefix}${each.key}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
