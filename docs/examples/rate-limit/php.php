<?php

$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode(['message' => 'Hello there']),
]);
for ($tries = 0; $tries < 5; $tries++) {
    $answer = json_decode(curl_exec($request), true);
    if (curl_getinfo($request, CURLINFO_RESPONSE_CODE) !== 429) {
        break;
    }
    sleep($answer['retryAfter']);
}
echo $answer['data']['response'], "\n";
