<?php

$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
        'Idempotency-Key: order-1234',
    ],
    CURLOPT_POSTFIELDS => json_encode(['message' => 'Hello there']),
]);
$answer = json_decode(curl_exec($request), true);
echo $answer['data']['response'], "\n";
